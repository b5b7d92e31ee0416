import { parser } from '@prometheus-io/lezer-promql';

/** One `name{label="value"}` of a query. */
export interface Selector {
  /** The metric, where it is named as such. */
  name?: string;
  matchers: Matcher[];
}

export interface Matcher {
  label: string;
  operator: '=' | '!=' | '=~' | '!~';
  /** Without its quotes. */
  value: string;
}

export interface Query {
  selectors: Selector[];
  /** What can't be parsed, as it stands in the query. */
  fault?: string;
}

type Node = ReturnType<typeof parser.parse>['topNode'];

/**
 * Reads a PromQL query with Prometheus' own grammar for editors. It knows the syntax and the functions, not the types:
 * that a function wants a range is for promtool to say. Never throws.
 */
export function readQuery(text: string): Query {
  const query: Query = { selectors: [] };
  if (text.trim() === '') return { ...query, fault: 'nothing' };
  parser.parse(text).iterate({
    enter: (node) => {
      if (node.type.isError) query.fault ??= `"${text.slice(node.from).trim().slice(0, 30) || 'the end'}"`;
      if (node.name === 'VectorSelector') query.selectors.push(selectorOf(node.node, text));
    },
  });
  return query;
}

function selectorOf(node: Node, text: string): Selector {
  const identifier = node.getChild('Identifier');
  const list = node.getChild('LabelMatchers');
  const quoted = list?.getChild('QuotedLabelName');
  const matchers = [
    ...(list?.getChildren('UnquotedLabelMatcher') ?? []),
    ...(list?.getChildren('QuotedLabelMatcher') ?? []),
  ].map((matcher) => matcherOf(matcher, text));
  const equal = matchers.find(({ label, operator }) => label === '__name__' && operator === '=');
  const name = identifier ? text.slice(identifier.from, identifier.to) : quoted ? unquote(quoted, text) : equal?.value;
  return { ...(name !== undefined && { name }), matchers };
}

function matcherOf(node: Node, text: string): Matcher {
  const label = node.getChild('LabelName');
  const quoted = node.getChild('QuotedLabelName');
  const operator = node.getChild('MatchOp');
  const value = node.getChild('StringLiteral');
  return {
    label: label ? text.slice(label.from, label.to) : quoted ? unquote(quoted, text) : '',
    operator: (operator ? text.slice(operator.from, operator.to).trim() : '=') as Matcher['operator'],
    value: value ? unquote(value, text) : '',
  };
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r' };

/** Backticks quote a text as it is; in the other quotes a backslash escapes. */
function unquote({ from, to }: Node, text: string): string {
  const quoted = text.slice(from, to);
  const inner = quoted.slice(1, -1);
  return quoted.startsWith('`') ? inner : inner.replace(/\\(.)/gs, (_, letter: string) => escapes[letter] ?? letter);
}
