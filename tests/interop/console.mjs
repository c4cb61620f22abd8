// A browser over the console of a demonstration: every page with axe-core, and acts by keyboard with scripts off.
// Arguments: the demonstration's demo.json, and the path of chromium. Screenshots go to MEDCREDIT_SCREENSHOTS, if it is set.
import { createRequire } from "node:module";
import { readFileSync, mkdirSync } from "node:fs";
import { createHmac } from "node:crypto";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const demo = JSON.parse(readFileSync(process.argv[2], "utf8"));
const shots = process.env.MEDCREDIT_SCREENSHOTS;
if (shots) mkdirSync(shots, { recursive: true });
const origin = demo.console_url;
const problems = [];

function base32(text) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  let bits = "";
  for (const letter of text.replace(/[= ]/g, "")) bits += alphabet.indexOf(letter).toString(2).padStart(5, "0");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

function code(account, step = 0) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + step));
  const digest = createHmac("sha1", base32(account.totp_secret)).update(counter).digest();
  const at = digest[19] & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, "0");
}

const browser = await chromium.launch({ executablePath: process.argv[3], args: ["--no-sandbox"] });

async function visitor(width, lang, { dark = false, script = false } = {}) {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: { width, height: 900 },
    locale: lang,
    javaScriptEnabled: script,
    colorScheme: dark ? "dark" : "light",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60000);
  return page;
}

// A session is bound to nothing but its cookie, so that one sign-in does for every width and language: a code works once.
const cookies = {};
async function signIn(page, account, step) {
  if (!cookies[account.name]) {
    await page.goto(`${origin}/sign-in`);
    // By keyboard alone: the name has the focus, on a loaded machine a moment after the page is there.
    await page.locator("#name:focus").waitFor();
    await page.keyboard.type(account.name);
    await page.keyboard.press("Tab");
    await page.keyboard.type(account.password);
    await page.keyboard.press("Tab");
    await page.keyboard.type(code(account, step));
    await page.keyboard.press("Enter");
    await page.waitForURL(`${origin}/`);
    const all = await page.context().cookies();
    cookies[account.name] = all.filter((cookie) => cookie.name.endsWith("session"));
    return;
  }
  await page.context().addCookies(cookies[account.name]);
}

async function shoot(page, name) {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

// Over DevTools, so that the page's policy for scripts stays as it is.
async function check(page, name) {
  await page.evaluate(axe);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const violations = await page.evaluate(async (runOnly) => {
    const { violations } = await window.axe.run(document, { runOnly });
    return violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.html} ${n.failureSummary}`).join(" | ")}`);
  }, tags);
  for (const violation of violations) problems.push(`${name}: ${violation}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) problems.push(`${name}: ${wide} px too wide`);
  await shoot(page, name);
}

function expect(truth, what) {
  if (!truth) problems.push(what);
}

// The first link in the table of a list, if it has one.
async function first(page, list) {
  await page.goto(`${origin}${list}`);
  const link = page.locator("main table tbody a").first();
  return (await link.count()) ? link.getAttribute("href") : null;
}

const [officer, second, auditor] = demo.operators;
const paths = { overview: "/", banks: "/banks", account: "/account" };
{
  const page = await visitor(1280, "zh-CN");
  await signIn(page, officer, 0);
  for (const item of await page.locator(".menu a").all()) {
    const href = await item.getAttribute("href");
    if (href !== "/") paths[href.slice(1)] = href;
  }
  for (const list of ["/banks", "/consents", "/imports", "/runs", "/platforms", "/ledger"]) {
    if (!paths[list.slice(1)]) continue;
    const found = await first(page, list);
    if (found) paths[`${list.slice(1)}-one`] = found;
  }
  await page.context().close();
}

for (const lang of ["zh-CN", "en"]) {
  for (const width of [1280, 390]) {
    const page = await visitor(width, lang, { script: true });
    await page.goto(`${origin}/sign-in`);
    expect((await page.locator("html").getAttribute("lang")) === lang, `lang is ${lang}`);
    await check(page, `${lang}-${width}-sign-in`);
    await signIn(page, officer, 0);
    for (const [name, path] of Object.entries(paths)) {
      const answer = await page.goto(`${origin}${path}`);
      expect(answer.status() === 200, `${path} is ${answer.status()}`);
      await check(page, `${lang}-${width}-${name}`);
    }
    await page.goto(`${origin}/nothing`);
    await check(page, `${lang}-${width}-not-found`);
    await page.context().close();
  }
}

// Dark, and large type.
{
  const page = await visitor(1280, "zh-CN", { dark: true, script: true });
  await signIn(page, officer, 0);
  await page.goto(`${origin}/`);
  await check(page, "dark-overview");
  await page.goto(paths["banks-one"] ? `${origin}${paths["banks-one"]}` : `${origin}/banks`);
  await page.getByRole("button", { name: "大字版" }).click();
  expect((await page.locator("html").getAttribute("class")) === "large", "large type is on");
  await check(page, "dark-large-bank");
  await page.context().close();
}

// One subject, for a purpose.
for (const width of [1280, 390]) {
  const page = await visitor(width, "zh-CN", { script: true });
  await signIn(page, officer, 0);
  await page.goto(`${origin}/subjects`);
  await page.locator("#code").fill(demo.subjects[0].code);
  await page.locator("#purpose").fill("办件 17");
  await Promise.all([page.waitForNavigation(), page.locator("main form button").click()]);
  expect((await page.locator(".message").count()) === 1, "the look is recorded");
  expect(!page.url().includes(demo.subjects[0].code), "the code is not in the URL");
  await check(page, `zh-CN-${width}-subject`);
  await page.context().close();
}

// An auditor sees no act.
if (auditor) {
  const page = await visitor(1280, "en");
  await signIn(page, auditor, 0);
  await page.goto(`${origin}${paths["banks-one"]}`);
  expect((await page.locator("button.stop").count()) === 0, "an auditor sees no act");
  await page.context().close();
}

// A suspension by keyboard: without a reason the page says so, with one it says what was done.
{
  const page = await visitor(1280, "en");
  await signIn(page, officer, 0);
  await page.goto(`${origin}${paths["banks-one"]}`);
  await page.locator("button.stop").focus();
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  expect((await page.locator(".summary a").count()) === 1, "a missing reason is reported");
  await shoot(page, "en-1280-bank-error");
  await page.locator("#reason").focus();
  await page.keyboard.type("a drill");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  const message = await page.locator(".message").textContent();
  expect(/Ledger entry ent_/.test(message), `the page says what was done: ${message}`);
  expect((await page.locator(".badge.bad").first().textContent()) === "Suspended", "the bank is suspended");
  await shoot(page, "en-1280-bank-suspended");
  expect(!page.url().includes("drill"), "nothing typed is in the URL");
  // Resuming needs another person: proposed here, approved below.
  await page.locator("#reason").focus();
  await page.keyboard.type("the drill is over");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  const proposal = page.url();
  expect(/approvals\/prp_/.test(proposal), `the proposal is shown: ${proposal}`);
  await shoot(page, "en-1280-proposal-own");
  const other = await visitor(1280, "zh-CN");
  await signIn(other, second, 0);
  await other.goto(proposal);
  await shoot(other, "zh-CN-1280-proposal");
  await other.locator("#reason").focus();
  await other.keyboard.type("checked");
  await Promise.all([other.waitForNavigation(), other.keyboard.press("Enter")]);
  expect(/已批准并执行/.test(await other.locator(".message").textContent()), "the second operator approves");
  await other.goto(`${origin}${paths["banks-one"]}`);
  expect((await other.locator(".badge.good").first().textContent()) === "正常", "the bank is active again");
  await other.context().close();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/sign-in/);
  await page.goto(`${origin}/banks`);
  expect(page.url().includes("/sign-in"), "after signing out, pages lead to sign-in");
  await page.context().close();
}

await browser.close();
if (problems.length) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log(`${Object.keys(paths).length} pages`);
