//! The rules in the documentation are rules.

use hilum_security::access::{Policy, Vocabulary};

#[test]
fn every_example_can_be_used() {
    let text = include_str!("../../docs/access.md");
    let blocks = text.split("```toml\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
    let mut examples = 0;
    for block in blocks.filter(|block| !block.contains("hilum.toml")) {
        let policy = Policy::parse(block, &Vocabulary::default());
        let policy = policy.unwrap_or_else(|error| panic!("{error}\n{block}"));
        let rules = block.matches("[[rule]]").count();
        assert_eq!(policy.in_words().len(), rules, "{block}");
        examples += 1;
    }
    assert!(examples >= 8, "{examples}");
}
