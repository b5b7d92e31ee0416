/** A command of a page, as somebody would type it. */
export interface TypedCommand {
  line: number;
  text: string;
  /** What the page says behind it, after the `#`. */
  said: string;
}

/** A block of commands, and why it is not run where the page marks it so. */
export interface Block {
  section: string;
  line: number;
  notRun?: string;
  commands: TypedCommand[];
}

/** Languages of fenced blocks that are typed into a shell; those of other languages are no commands. */
const shells = new Set(['', 'bash', 'sh', 'shell', 'console']);
const mark = /^<!-- not run: (.+) -->$/;

interface Numbered {
  line: number;
  text: string;
}

/**
 * Reads all blocks of commands, indented by four spaces or fenced. A block is to be run unless the comment
 * `<!-- not run: WHY -->` stands before it, with nothing but blank lines between.
 */
export function blocksOf(page: string): Block[] {
  const lines = page.split('\n').map((text, index) => ({ line: index + 1, text }));
  const blocks: Block[] = [];
  let section = '';
  let notRun: string | undefined;
  for (let at = 0; at < lines.length; at += 1) {
    const { text = '', line = 0 } = lines[at] ?? {};
    const fence = text.match(/^```(\w*)/)?.[1];
    const end = fence !== undefined ? endOfFence(lines, at) : begins(lines, at) ? endOfIndented(lines, at) : at;
    if (end === at) {
      section = text.match(/^## (.*)/)?.[1] ?? section;
      if (text !== '') notRun = text.match(mark)?.[1];
      continue;
    }
    const first = fence === undefined ? at : at + 1;
    const commands = commandsIn(lines.slice(first, end));
    if (shells.has(fence ?? ''))
      blocks.push({ section, line: lines[first]?.line ?? line, ...(notRun !== undefined && { notRun }), commands });
    notRun = undefined;
    at = fence === undefined ? end - 1 : end;
  }
  return blocks;
}

/** Four spaces begin a block behind a blank line only; within a paragraph they are the paragraph's. */
function begins(lines: readonly Numbered[], at: number): boolean {
  return /^ {4}\S/.test(lines[at]?.text ?? '') && (lines[at - 1]?.text ?? '') === '';
}

/** The line that closes the fence. */
function endOfFence(lines: readonly Numbered[], at: number): number {
  const end = lines.findIndex(({ text }, index) => index > at && text.startsWith('```'));
  return end === -1 ? lines.length : end;
}

/** The first line that is not of the block: blank lines are, where the block goes on behind them. */
function endOfIndented(lines: readonly Numbered[], at: number): number {
  const next = lines.findIndex(({ text }, index) => index > at && text !== '' && !/^ {4}/.test(text));
  let end = next === -1 ? lines.length : next;
  while (lines[end - 1]?.text === '') end -= 1;
  return end;
}

/** A line is a command, together with those after it as long as they end with a backslash. */
function commandsIn(lines: readonly Numbered[]): TypedCommand[] {
  const commands: TypedCommand[] = [];
  let open: Numbered | undefined;
  for (const { line, text } of lines) {
    const whole: Numbered = open
      ? { line: open.line, text: `${open.text} ${text.trim()}` }
      : { line, text: text.trim() };
    open = whole.text.endsWith('\\') ? { line: whole.line, text: whole.text.slice(0, -1).trimEnd() } : undefined;
    if (open === undefined && whole.text !== '' && !whole.text.startsWith('#')) commands.push(parted(whole));
  }
  if (open) commands.push(parted(open));
  return commands;
}

/** As bash has it: a `#` behind a blank, outside of quotes, begins what is said. */
function parted({ line, text }: Numbered): TypedCommand {
  const [, command = text, said = ''] = text.match(/^((?:'[^']*'|"[^"]*"|[^'"])*?)\s+#\s*(.*)$/) ?? [];
  return { line, text: command, said };
}

/** A command with the ports, and the cluster, that somebody has who can't use the page's own. */
export function withOwn(text: string, { cluster, https }: { cluster: string; https: number }): string {
  return text.replaceAll('localhost:8443', `localhost:${https}`).replaceAll('kind-cluster-1', cluster);
}
