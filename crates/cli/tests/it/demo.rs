use crate::support::user::User;

#[test]
fn the_demo_proves_the_main_job_and_leaves_the_real_sessions_alone() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let before = (user.stored("qwen"), user.kit.qwen().counters());
    let done = user.run(&["demo"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for printed in [
        "Sign in to Qwen",
        "Sign in to MiniMax",
        "Sign in to Gemini",
        "20 tasks got the same token; the vendor saw 1 renewal",
        "After a restart",
        "What this proved",
    ] {
        assert!(done.out.contains(printed), "{printed}: {done:?}");
    }
    assert!(!done.out.contains("\n  NO "), "{done:?}");
    assert_eq!((user.stored("qwen"), user.kit.qwen().counters()), before);
    assert_eq!(user.kit.minimax().counters().device_requests, 0);
}

#[test]
fn the_results_of_the_demo_are_json_too() {
    let done = User::new().run(&["demo", "--json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let proved = done.json();
    assert_eq!((&proved["v"], &proved["ok"]), (&1.into(), &true.into()));
    assert!(proved["claims"].as_array().unwrap().len() > 10, "{proved}");
    assert!(done.err.contains("After a restart"), "{done:?}");
}
