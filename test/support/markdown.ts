/** A piece of a page that is code: a span within a line, or a line of a block. */
export interface Code {
  text: string;
  line: number;
  /** The whole line that it stands in. */
  within: string;
}

export interface Link {
  target: string;
  line: number;
}

export interface Page {
  links: Link[];
  code: Code[];
  /** The names by which GitHub lets a link point at a heading. */
  anchors: string[];
}

/** Reads what links, code and headings a page has. Blocks of code are indented by four spaces or fenced. */
export function readPage(text: string): Page {
  const page: Page = { links: [], code: [], anchors: [] };
  let fenced = false;
  let before = '';
  text.split('\n').forEach((line, index) => {
    const at = { line: index + 1, within: line };
    if (/^\s*```/.test(line)) fenced = !fenced;
    else if (fenced || (/^ {4}/.test(line) && (before === '' || /^ {4}/.test(before))))
      page.code.push({ text: line.trim(), ...at });
    else {
      page.links.push(
        ...[...line.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => ({ target: match[1] ?? '', line: at.line })),
      );
      page.code.push(...[...line.matchAll(/`([^`]+)`/g)].map((match) => ({ text: match[1] ?? '', ...at })));
      const heading = /^#{1,6} (.*)$/.exec(line)?.[1];
      if (heading !== undefined) page.anchors.push(anchorOf(heading));
    }
    before = line;
  });
  return page;
}

/** As GitHub makes it: small letters, no punctuation, dashes for blanks. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
}
