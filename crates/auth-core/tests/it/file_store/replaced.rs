//! Files that are replaced as a whole.

use std::fs;

use llm_auth_core::files;

#[test]
fn many_that_replace_one_file_at_once_all_succeed_and_no_reader_sees_a_part() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.json");
    let contents: Vec<String> = (0..8).map(|at| at.to_string().repeat(5_000)).collect();
    files::replace(&file, contents[0].as_bytes()).unwrap();
    std::thread::scope(|scope| {
        for content in &contents {
            scope.spawn(|| {
                for _ in 0..25 {
                    files::replace(&file, content.as_bytes()).unwrap();
                    let seen = fs::read_to_string(&file).unwrap();
                    assert!(contents.contains(&seen), "{} bytes", seen.len());
                }
            });
        }
    });
    // Nothing else is left.
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}
