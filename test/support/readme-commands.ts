/** A command of a page, as you would type it. */
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

/** A fenced block; an indented one, behind a blank line, since within a paragraph four spaces are the paragraph's; a heading; a mark. */
const parts =
  /^```(?<language>\w*)\n(?<fenced>[\s\S]*?)^```|(?<=\n\n)(?<indented>(?: {4}.*\n|\n(?=\n* {4}))+)|^## (?<title>.*)|^<!-- not run: (?<why>.+) -->$/gm;

/**
 * Reads all blocks of commands, indented by four spaces or fenced. A block is to be run unless the comment
 * `<!-- not run: WHY -->` stands before it, with nothing but blank lines between.
 */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let section = '';
  let mark = { why: '', end: 0 };
  for (const { 0: whole, index, groups = {} } of page.matchAll(parts)) {
    const { language = '', fenced, indented, title, why } = groups;
    if (title !== undefined) section = title;
    if (why !== undefined) mark = { why, end: index + whole.length };
    const code = fenced ?? indented;
    if (code === undefined || !shells.has(language)) continue;
    const isMarked = mark.why !== '' && page.slice(mark.end, index).trim() === '';
    const line = lineAt(page, index) + (fenced === undefined ? 0 : 1);
    blocks.push({ section, line, ...(isMarked && { notRun: mark.why }), commands: commandsIn(code, line) });
  }
  return blocks;
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** A line is a command, together with those after it as long as they end with a backslash. */
function commandsIn(code: string, first: number): TypedCommand[] {
  return [...code.matchAll(/^(?:.*\\\n)*.*$/gm)]
    .map(({ 0: typed, index }) => {
      const line = first + lineAt(code, index) - 1;
      return { line, ...parted(typed.replaceAll(/\s*\\\n\s*/g, ' ').trim()) };
    })
    .filter(({ text }) => text !== '' && !text.startsWith('#'));
}

/** As bash has it: a `#` behind a blank, outside of quotes, begins what is said. */
function parted(typed: string): { text: string; said: string } {
  const [, text = typed, said = ''] = typed.match(/^((?:'[^']*'|"[^"]*"|[^'"])*?)\s+#\s*(.*)$/) ?? [];
  return { text, said };
}

/** A command with the ports, and the cluster, that you have if you can't use the page's own. */
export function withOwn(text: string, { cluster, https }: { cluster: string; https: number }): string {
  return text.replaceAll('localhost:8443', `localhost:${https}`).replaceAll('kind-cluster-1', cluster);
}
