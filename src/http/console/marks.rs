//! Words for states, each with the class that colours its badge. A badge always has the word.

use std::time::Duration;

use crate::{
    access::{ClientKind, ClientState, SignedRequests},
    approvals::{ProposalState, Proposed},
    authority::certificates::CertificateRecord,
    consent::{ConsentEvent, ConsentState},
    domain::{Channel, Timestamp},
    i18n::web::Texts,
};

/// A badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub class: &'static str,
    pub text: &'static str,
}

/// A badge.
pub const fn mark(class: &'static str, text: &'static str) -> Mark {
    Mark { class, text }
}

/// The state of a client.
pub const fn client_state(state: ClientState, t: Texts) -> Mark {
    match state {
        ClientState::Active => mark("good", t.state_active()),
        ClientState::Suspended => mark("bad", t.state_suspended()),
        ClientState::Closed => mark("", t.state_closed()),
    }
}

/// The kind of a client.
pub const fn client_kind(kind: ClientKind, t: Texts) -> &'static str {
    match kind {
        ClientKind::Bank => t.kind_bank(),
        ClientKind::Department => t.kind_department(),
        ClientKind::Auditor => t.kind_auditor(),
        ClientKind::Platform => t.kind_platform(),
    }
}

/// Whether a client's requests are signed.
pub const fn signed_requests(signed: SignedRequests, t: Texts) -> &'static str {
    match signed {
        SignedRequests::Ignored => t.signed_ignored(),
        SignedRequests::Allowed => t.signed_allowed(),
        SignedRequests::Required => t.signed_required(),
    }
}

/// How long before its end a certificate is worth attention.
pub const SOON: Duration = Duration::from_hours(60 * 24);

/// The state of a certificate at an instant.
pub fn certificate_state(record: &CertificateRecord, now: Timestamp, t: Texts) -> Mark {
    match (&record.revoked, record.not_after) {
        (Some(_), _) => mark("bad", t.certificate_revoked()),
        (None, end) if end <= now => mark("", t.certificate_expired()),
        (None, end) if end <= now.plus(SOON) => mark("warn", t.certificate_expiring()),
        (None, _) => mark("good", t.certificate_valid()),
    }
}

/// The state of a consent.
pub const fn consent_state(state: ConsentState, t: Texts) -> Mark {
    match state {
        ConsentState::Pending => mark("warn", t.consent_pending()),
        ConsentState::Active => mark("good", t.consent_active()),
        ConsentState::Suspended => mark("warn", t.consent_suspended()),
        ConsentState::Revoked => mark("bad", t.consent_revoked()),
        ConsentState::Expired => mark("", t.consent_expired()),
        ConsentState::Superseded => mark("", t.consent_superseded()),
        ConsentState::Rejected => mark("bad", t.consent_rejected()),
    }
}

/// The state of an import.
pub fn import_state(word: &str, t: Texts) -> Mark {
    match word {
        "accepted" => mark("good", t.import_accepted()),
        "staging" => mark("warn", t.import_staging()),
        "discarding" => mark("", t.import_discarding()),
        _ => mark("", t.import_discarded()),
    }
}

/// The state of a run.
pub fn run_state(word: &str, t: Texts) -> Mark {
    match word {
        "trial" => mark("", t.run_trial()),
        "preassessment" => mark("warn", t.run_preassessment()),
        "published" => mark("good", t.run_published()),
        "superseded" => mark("", t.run_superseded()),
        _ => mark("", t.run_discarded()),
    }
}

/// The state of a platform.
pub fn platform_state(word: &str, t: Texts) -> Mark {
    match word {
        "working" => mark("good", t.platform_working()),
        "failing" => mark("warn", t.platform_failing()),
        "stopped" => mark("bad", t.platform_stopped()),
        _ => mark("warn", t.platform_paused()),
    }
}

/// What became of a consent.
pub const fn consent_event(event: ConsentEvent, t: Texts) -> &'static str {
    match event {
        ConsentEvent::Requested => t.event_requested(),
        ConsentEvent::Granted => t.event_granted(),
        ConsentEvent::Suspended => t.event_suspended(),
        ConsentEvent::Resumed => t.event_resumed(),
        ConsentEvent::Amended => t.event_amended(),
        ConsentEvent::Revoked => t.event_revoked(),
        ConsentEvent::Expired => t.event_expired(),
        ConsentEvent::Superseded => t.event_superseded(),
        ConsentEvent::Rejected => t.event_rejected(),
    }
}

/// A channel.
pub const fn channel_text(channel: Channel, t: Texts) -> &'static str {
    match channel {
        Channel::Api => t.channel_api(),
        Channel::CommandLine => t.channel_command_line(),
        Channel::Console => t.channel_console(),
        Channel::Portal => t.channel_portal(),
        Channel::Counter => t.channel_counter(),
        Channel::Clock => t.channel_clock(),
    }
}

/// The kind of a ledger entry.
pub fn entry_kind(word: &str, t: Texts) -> &'static str {
    match word {
        "disclosure" => t.kind_disclosure(),
        "delivery" => t.kind_delivery(),
        "consent" => t.kind_consent(),
        "approval" => t.kind_approval(),
        "erasure" => t.kind_erasure(),
        _ => t.kind_operator(),
    }
}

/// The state of a proposal.
pub const fn proposal_state(state: ProposalState, t: Texts) -> Mark {
    match state {
        ProposalState::Open => mark("warn", t.proposal_open()),
        ProposalState::Approved => mark("good", t.proposal_approved()),
        ProposalState::Rejected => mark("bad", t.proposal_rejected()),
        ProposalState::Withdrawn => mark("", t.proposal_withdrawn()),
        ProposalState::Executed => mark("good", t.proposal_state_executed()),
        ProposalState::Expired => mark("", t.proposal_expired()),
        ProposalState::BrokenGlass => mark("bad", t.proposal_broken_glass()),
    }
}

/// What is proposed.
pub const fn proposed_act(proposed: &Proposed, t: Texts) -> &'static str {
    match proposed {
        Proposed::RegisterClient { .. } => t.act_register_client(),
        Proposed::ResumeClient { .. } => t.act_resume_client(),
        Proposed::PublishRun { .. } => t.act_publish_run(),
        Proposed::RotateKey { .. } => t.act_rotate_key(),
        Proposed::ActivateKey { .. } => t.act_activate_key(),
        Proposed::ResumePlatform { .. } => t.act_resume_platform(),
        Proposed::RedriveDead { .. } => t.act_redrive_dead(),
        Proposed::CreateOperator { .. } => t.act_create_operator(),
        Proposed::SetRoles { .. } => t.act_set_roles(),
        Proposed::ResumeOperator { .. } => t.act_resume_operator(),
    }
}
