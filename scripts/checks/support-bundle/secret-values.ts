import { isUtf8 } from 'node:buffer';
import { parseAllDocuments } from 'yaml';

/** A text that must not be shown. */
export interface SecretValue {
  text: string;
  /** What the Secret that has it calls it. */
  key?: string;
  /** Looked for as a whole: its parts are ordinary text, as those of a date, an address or a whole document are. */
  whole?: boolean;
}

/** What Secrets hold that is none, by its name there: public parts, and what says whom or what they are for. */
const open = new Set([
  ...['apiversion', 'kind', 'name', 'namespace', 'type', 'cluster', 'context', 'current-context', 'description'],
  ...['url', 'server', 'host', 'port', 'user', 'username', 'admin-user', 'login', 'email'],
  ...['ca.crt', 'tls.crt', 'certificate-authority-data', 'client-certificate-data'],
]);
/** Documents in documents: a kubeconfig as base64 in a YAML file in a Secret, and one for good measure. */
const deepest = 5;

/**
 * All texts that a Secret's value must not be known by: those in YAML, JSON, .env files, logins and base64 as well.
 * @returns each text once
 */
export function secretValues(value: Buffer, key: string): SecretValue[] {
  // A keystore, say, could only be shown as base64.
  const found = isUtf8(value) ? valuesIn(value.toString(), key, 0) : [{ text: value.toString('base64') }];
  return [...new Map(found.map((one) => [`${one.whole}\n${one.text}`, { ...one, key }])).values()];
}

function valuesIn(text: string, key: string, depth: number): SecretValue[] {
  const value = text.trim();
  if (value === '' || depth > deepest) return [];
  const within = (parts: string[], its = key) => parts.flatMap((part) => valuesIn(part, its, depth + 1));
  const leaves = leavesOf(value, key);
  if (leaves)
    return [
      { text: value, whole: true },
      ...leaves.flatMap(([its, leaf]) => within([leaf], its)),
      // In comments, too.
      ...within(passwordsIn(value)),
    ];
  if (open.has(key.toLowerCase()) && !value.includes('PRIVATE KEY-----')) return within(loginsIn(value), '');
  const decoded = decodedFrom(value);
  const inner = within([...loginsIn(value), ...passwordsIn(value), ...(decoded === undefined ? [] : [decoded])]);
  const lines = value.split(/\r?\n/).filter((line) => !/^-----(?:BEGIN|END) .*-----$/.test(line));
  if (lines.length > 1) return [...inner, ...lines.flatMap((line) => inLine(line, within))];
  if (/^\d{4}-\d\d-\d\dT[\d:.]+Z?$/.test(value)) return [{ text: value, whole: true }];
  const path = value.match(/^[a-z][a-z0-9+.-]*:\/\/[^\s/?]*(\S*)$/i)?.[1];
  // The path is what is secret of a webhook's address; the scheme and the host are those of many others.
  if (path !== undefined)
    return [{ text: value, whole: true }, ...inner, ...(path.length > 16 ? [{ text: path }] : [])];
  return [{ text: value }, ...inner, ...within(assigned(value))];
}

/** The scalars of YAML and of JSON, which is YAML, as they are written; nothing for what is no map or list. */
function leavesOf(text: string, key: string): [key: string, text: string][] | undefined {
  // A password may be YAML as well, as `{abc}` is.
  if (!/[\n:]|^[[{]/.test(text)) return undefined;
  const documents = parseAllDocuments(text, { schema: 'failsafe', logLevel: 'silent' });
  if (!Array.isArray(documents) || documents.some(({ errors }) => errors.length > 0)) return undefined;
  const roots = documents.map((document): unknown => document.toJS());
  if (!roots.some((root) => typeof root === 'object' && root !== null)) return undefined;
  const leaves: [string, string][] = [];
  const collect = (value: unknown, its: string) => {
    if (typeof value === 'string') leaves.push([its, value]);
    else if (Array.isArray(value)) for (const one of value) collect(one, its);
    else for (const [name, one] of Object.entries(value ?? {})) collect(one, name);
  };
  for (const root of roots) collect(root, key);
  return leaves;
}

function inLine(line: string, within: (parts: string[], key?: string) => SecretValue[]): SecretValue[] {
  const text = line.replace(/^\s*[#;]+/, '').trim();
  const [, name, value = ''] = text.match(/^(?:export\s+)?([\w.-]+)\s*[=:]\s*(.+)$/) ?? [];
  // The first and last line of a value over several have one quote each.
  const unquoted = within([value.replaceAll(/^["']|["']\s*$/g, '')], name);
  return name !== undefined && open.has(name.toLowerCase()) ? unquoted : [...unquoted, ...within([text])];
}

/** What is behind the name in `NAME=value` and in `user:password`. */
function assigned(value: string): string[] {
  const part = value.match(/^(?:[\w.-]+=|[^\s:/]+:)([^\s=].*)$/)?.[1];
  return part === undefined ? [] : [part];
}

/** What stands behind a name that tells of a secret, as in a connection string, and behind `password` in a .netrc. */
function passwordsIn(value: string): string[] {
  const named =
    /(?:(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key)["']?\s*[=:]\s*|\bpassw(?:or)?d\s+)["']?([^\s"';&,]+)/gi;
  return [...value.matchAll(named)].map(([, part = '']) => part);
}

/** With what addresses log in: passwords, as they are and without %XX, and tokens in place of a user. */
function loginsIn(value: string): string[] {
  const logins = [...value.matchAll(/\b[a-z][a-z0-9+.-]*:\/\/([^\s/@:]*)(?::([^\s/@]*))?@/gi)];
  return logins.flatMap(([, user = '', password]) =>
    password === undefined ? (user.length > 16 ? [user] : []) : [password, unescaped(password)],
  );
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The text that base64, in one line or in several, stands for; nothing for what is none or stands for no text. */
function decodedFrom(value: string): string | undefined {
  const joined = value.replaceAll(/\s+/g, '');
  if (!/^[A-Za-z0-9+/_-]{4,}={0,2}$/.test(joined)) return undefined;
  const bytes = Buffer.from(joined, 'base64');
  const text = bytes.toString();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they tell that it is no text
  return isUtf8(bytes) && !/[\u0000-\u0008\u000e-\u001f\u007f]/.test(text) ? text : undefined;
}
