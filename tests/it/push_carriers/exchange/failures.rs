//! Databases that refuse, are away, locked or full, and connections that end in the middle.

use std::time::Duration;

use medcredit::push::{
    carrier::{Failed, FailureReason},
    platform::Engine,
};

use super::{
    super::package,
    both_databases,
    server::{Front, PASSWORD, deliver, grades, name},
};

both_databases! {
    a_user_that_is_not_accepted_is_reported_without_the_password,
    a_missing_table_and_a_missing_right_are_named,
    a_value_that_does_not_fit_is_final_and_not_repeated_in_the_error,
    a_table_that_is_locked_is_given_up_in_time_and_nothing_of_the_page_is_there,
    a_connection_that_ends_before_the_commit_leaves_nothing,
    a_database_without_room_is_tried_again,
    a_file_without_an_address_is_refused_without_repeating_it,
    the_writer_can_neither_change_nor_remove_rows,
}

fn check(failed: &Failed, reason: FailureReason, permanent: bool) {
    assert_eq!((failed.reason, failed.permanent), (reason, permanent), "{failed}");
    assert!(!failed.detail.contains(PASSWORD), "{failed}");
}

async fn a_user_that_is_not_accepted_is_reported_without_the_password(engine: Engine) {
    let front = Front::open(engine).await;
    let carrier = front.carrier();
    // The test's PostgreSQL asks nobody for a password.
    let (user, password) =
        if engine == Engine::Postgres { ("nobody_here", PASSWORD) } else { ("front_writer", "wr0ng") };
    front.address(&front.address_as(user, password));
    let failed = deliver(&carrier, &package(1, 1), 1, &grades(0..1)).await.unwrap_err();
    check(&failed, FailureReason::Credentials, false);
    assert!(!failed.detail.contains("wr0ng"), "{failed}");
    // Corrected in the file, it is used without a restart.
    front.address(&front.address_as("front_writer", PASSWORD));
    deliver(&carrier, &package(1, 1), 1, &grades(0..1)).await.unwrap();
}

async fn a_missing_table_and_a_missing_right_are_named(engine: Engine) {
    let front = Front::open(engine).await;
    let mut settings = front.settings();
    settings.grades_table = Some(name("t_elsewhere"));
    settings.control = None;
    let failed = deliver(&front.carrier_with(settings.clone()), &package(1, 1), 1, &grades(0..1)).await.unwrap_err();
    // Without any right on it, MariaDB does not say whether there is such a table.
    let reason = if engine == Engine::Postgres { FailureReason::Missing } else { FailureReason::Permission };
    check(&failed, reason, false);
    assert!(failed.detail.contains("t_elsewhere"), "{failed}");
    front.execute("CREATE TABLE t_other (a varchar(10))").await;
    settings.grades_table = Some(name("t_other"));
    let failed = deliver(&front.carrier_with(settings), &package(1, 1), 1, &grades(0..1)).await.unwrap_err();
    check(&failed, reason_of_other(engine), false);
}

/// PostgreSQL looks for columns before it looks at rights.
const fn reason_of_other(engine: Engine) -> FailureReason {
    match engine {
        Engine::Postgres => FailureReason::Missing,
        Engine::Mariadb => FailureReason::Permission,
    }
}

async fn a_value_that_does_not_fit_is_final_and_not_repeated_in_the_error(engine: Engine) {
    let front = Front::open(engine).await;
    let mut rows = grades(0..3);
    rows[1].fields[0].1 = "某某某".repeat(20);
    let failed = deliver(&front.carrier(), &package(1, 3), 1, &rows).await.unwrap_err();
    check(&failed, FailureReason::Field, true);
    assert!(!failed.detail.contains('某'), "{failed}");
    assert_eq!((front.count("t_grades").await, front.count("t_control").await), (0, 0), "none of the page");
}

/// A transaction that holds the control table until it is dropped, and the statement that ends the writer's connections.
async fn lock_control(front: &Front) -> Box<dyn Send> {
    match front.engine {
        Engine::Postgres => {
            let mut connection = front.postgres().await;
            sqlx::raw_sql("BEGIN; LOCK TABLE t_control IN SHARE MODE").execute(&mut connection).await.unwrap();
            Box::new(connection)
        }
        Engine::Mariadb => {
            let mut connection = front.mariadb().await;
            sqlx::raw_sql("LOCK TABLES t_control READ").execute(&mut connection).await.unwrap();
            Box::new(connection)
        }
    }
}

async fn a_table_that_is_locked_is_given_up_in_time_and_nothing_of_the_page_is_there(engine: Engine) {
    let front = Front::open(engine).await;
    let mut settings = front.settings();
    settings.access.timeout = Duration::from_secs(1);
    let carrier = front.carrier_with(settings);
    let lock = lock_control(&front).await;
    let failed = deliver(&carrier, &package(1, 2), 1, &grades(0..2)).await.unwrap_err();
    check(&failed, FailureReason::Timeout, false);
    drop(lock);
    deliver(&front.carrier(), &package(1, 2), 1, &grades(0..2)).await.unwrap();
    assert_eq!((front.count("t_grades").await, front.count("t_control").await), (2, 1));
}

async fn a_connection_that_ends_before_the_commit_leaves_nothing(engine: Engine) {
    let front = Front::open(engine).await;
    let (carrier, package, rows) = (front.carrier(), package(1, 2), grades(0..2));
    let lock = lock_control(&front).await;
    let delivery = deliver(&carrier, &package, 1, &rows);
    let end = async {
        // The rows are inserted, and the control row waits.
        while !front.end_waiting_writer().await {
            tokio::task::yield_now().await;
        }
    };
    let (failed, ()) = tokio::join!(delivery, end);
    check(&failed.unwrap_err(), FailureReason::Closed, false);
    drop(lock);
    assert_eq!((front.count("t_grades").await, front.count("t_control").await), (0, 0));
    deliver(&carrier, &package, 1, &rows).await.unwrap();
    assert_eq!((front.count("t_grades").await, front.count("t_control").await), (2, 1));
}

async fn a_database_without_room_is_tried_again(engine: Engine) {
    let front = Front::open(engine).await;
    front
        .execute(match engine {
            // A disk that is full, as the server reports it.
            Engine::Postgres => {
                "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$; \
                 CREATE TRIGGER no_room BEFORE INSERT ON t_control FOR EACH ROW EXECUTE FUNCTION no_room()"
            }
            Engine::Mariadb => "SET max_heap_table_size = 16384; ALTER TABLE t_control ENGINE = MEMORY",
        })
        .await;
    if engine == Engine::Mariadb {
        front.fill("t_control").await;
    }
    let failed = deliver(&front.carrier(), &package(1, 2), 1, &grades(0..2)).await.unwrap_err();
    check(&failed, FailureReason::DiskFull, false);
    assert_eq!(front.count("t_grades").await, 0);
}

async fn a_file_without_an_address_is_refused_without_repeating_it(engine: Engine) {
    let front = Front::open(engine).await;
    for url in [
        "",
        "oracle://a:wr1ter-pass@h/d",
        "postgres://a:wr1ter-pass@h:port/d mysql://",
        "mysql://a:wr1ter-pass@h:99999/d",
    ] {
        front.address(url);
        let failed = deliver(&front.carrier(), &package(1, 1), 1, &grades(0..1)).await.unwrap_err();
        check(&failed, FailureReason::Credentials, false);
        assert!(failed.detail.contains("url") && failed.detail.contains("write @ as %40"), "{failed}");
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let scheme = if engine == Engine::Postgres { "postgres" } else { "mysql" };
    front.address(&format!("{scheme}://a:{PASSWORD}@127.0.0.1:{free}/d"));
    let failed = deliver(&front.carrier(), &package(1, 1), 1, &grades(0..1)).await.unwrap_err();
    check(&failed, FailureReason::Refused, false);
}

async fn the_writer_can_neither_change_nor_remove_rows(engine: Engine) {
    let front = Front::open(engine).await;
    deliver(&front.carrier(), &package(1, 2), 1, &grades(0..2)).await.unwrap();
    for sql in ["UPDATE t_grades SET exchange_flag = 1", "DELETE FROM t_grades", "DROP TABLE t_grades"] {
        assert!(front.execute_as_writer(sql).await.is_err(), "{sql}");
    }
    assert_eq!(front.count("t_grades").await, 2, "and what the carrier does needs none of it");
}
