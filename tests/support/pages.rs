//! Code blocks of the documents. A line "`NAME`:" names the file that the block below it becomes.

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// The file that a reader writes.
    pub name: Option<String>,
    pub language: String,
    pub text: String,
}

/// The blocks of a page, in their order.
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut name) = (Vec::new(), None);
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let Some(language) = line.trim().strip_prefix("```") else {
            if !line.trim().is_empty() {
                name =
                    line.trim().strip_prefix('`').and_then(|rest| rest.strip_suffix("`:")).map(str::to_owned);
            }
            continue;
        };
        let block = lines.by_ref().take_while(|line| line.trim() != "```");
        let text =
            block.fold(String::new(), |text, line| text + line.get(indent..).unwrap_or_default() + "\n");
        blocks.push(Block { name: name.take(), language: language.to_owned(), text });
    }
    blocks
}
