import { fork } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where in the system's processes a text was seen. */
export interface Sampler {
  /** Ends the looking. Hands back how many processes were looked at, and the command lines of those that had the text. */
  end(): Promise<{ looked: number; seen: string[] }>;
}

/** Every form in which a token could be found: as it is, in a login, and in what Docker and Kubernetes make of that. */
export function formsOf(token: string, user: string): string[] {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const login = base64(`${user}:${token}`);
  // Behind one or two other characters the same text looks different as base64; its middle is the same from there on.
  const inner = ['', 'x', 'xx'].map((before) => base64(before + token).slice(before.length === 0 ? 0 : 4, 44));
  return [token, login, base64(JSON.stringify({ auths: { 'ghcr.io': { auth: login } } })), ...inner];
}

export interface Planted {
  name: string;
  /** What the Secret has, by its keys. */
  data: Record<string, string>;
  /** What is said of it somewhere. */
  said: string[];
  /** What of that must not be shown. */
  hidden: string[];
}

/** Secrets of every kind that Secrets have, and lines that give each away, whole or in part, in every form. */
export function plantedSecrets(): Planted[] {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const key = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey.trim();
  const lines = key.split('\n').slice(1, -1);
  const [first = '', last = ''] = [lines[0], lines.at(-1)];
  // Not `eyJ…`, by which such a token is known in any case.
  const [header, payload, signature] = ['Xf8'.repeat(30), 'pQz4'.repeat(60), `k9${'vB3x-Lm7'.repeat(20)}Wq_2`];
  const jwt = `${header}.${payload}.${signature}`;
  const odd = 'Tr&b1 /"q+w%';
  const kubeconfig = `apiVersion: v1
kind: Config
users:
  - name: ann
    user: { client-key-data: ${base64(key)}, token: kubeTok-5521-Zz }
`;
  return [
    {
      name: 'account',
      data: { token: jwt },
      said: [
        `Bearer ${jwt}`,
        `cut ${jwt.slice(0, 300)}`,
        `ends ...${jwt.slice(-60)}`,
        `b ${base64(jwt).slice(0, 200)}`,
      ],
      hidden: [header, payload, signature, signature.slice(-60), jwt.slice(200, 300), base64(jwt).slice(100, 140)],
    },
    {
      name: 'documents',
      data: {
        'config.yaml':
          'database:\n  # password: 0ldOne-7741\n  password: yamlPw-8852-Qq # of now\n  list: [inList-9963-Ww]\n',
        'app.env': 'export MODE=on\nAPI_KEY="envKey-1074-Ee"\nDB=postgres://app:dbUrl%2FPw-31@db/app\n',
        'app.json': JSON.stringify({ deep: [{ er: 'jsonPw-2185-Rr' }], code: base64('inBase64-3296-Tt') }),
        kubeconfig,
      },
      said: [
        'old 0ldOne-7741 new yamlPw-8852-Qq, inList-9963-Ww; envKey-1074-Ee',
        'dbUrl/Pw-31 or dbUrl%2FPw-31; jsonPw-2185-Rr; inBase64-3296-Tt; kubeTok-5521-Zz',
        `nested ${base64(kubeconfig)}`,
      ],
      hidden: [
        ...['0ldOne-7741', 'yamlPw-8852-Qq', 'inList-9963-Ww', 'envKey-1074-Ee', 'dbUrl/Pw-31', 'dbUrl%2FPw-31'],
        ...['jsonPw-2185-Rr', 'inBase64-3296-Tt', 'kubeTok-5521-Zz', base64(kubeconfig).slice(100, 140)],
      ],
    },
    {
      name: 'key',
      data: { 'tls.key': key },
      said: [
        `${last}\n-----END PRIVATE KEY-----`,
        `one line ${lines[9]}`,
        JSON.stringify({ key }),
        `part ${first.slice(20)}`,
      ],
      hidden: [first, first.slice(20), lines[9] ?? '', last, ...(last.length > 24 ? [last.slice(0, 20)] : [])],
    },
    {
      name: 'short',
      data: { password: 'k3Xy', pin: '42', word: 'admin', login: 'ops', 'basic-auth': `ops:h7T` },
      said: [
        `login as ops with k3Xy, password="k3Xy", ${base64('ops:k3Xy')}, (h7T)`,
        'pin=42 "pin": "42"; Authorization: Basic '.concat(base64('ops:h7T')),
      ],
      hidden: ['k3Xy', base64('ops:k3Xy'), 'h7T', base64('ops:h7T'), 'pin=42', '"pin": "42"'],
    },
    {
      name: 'odd',
      data: { phrase: `${odd}\n`, '.dockerconfigjson': JSON.stringify({ auths: { x: { auth: base64(`u:${odd}`) } } }) },
      said: [
        odd,
        encodeURIComponent(odd),
        new URLSearchParams({ odd }).toString(),
        JSON.stringify({ odd }),
        base64(`u:${odd}`),
      ]
        .concat(JSON.stringify(JSON.stringify(odd)), odd.replace('&', '\\u0026'), base64(base64(odd)))
        .map((form) => `as ${form}`),
      hidden: ['Tr&b1', 'Tr%26b1', 'Tr\\u0026b1', 'q+w', 'q%2Bw', base64(`u:${odd}`), base64(base64(odd))],
    },
  ];
}

/**
 * Looks at the processes of this machine, again and again, until it is ended: at the arguments of all, and at the
 * variables of those that have `variable`, by which they are known as started from there.
 */
export function sampleProcesses(forms: readonly string[], variable: string): Sampler {
  const looking = fork(fileURLToPath(new URL('./canary-looking.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
  });
  // Not as an argument, where it would find what it looks for.
  looking.send({ forms, variable });
  const told = new Promise<{ looked: number; seen: string[] }>((resolve, reject) => {
    looking.once('message', (found) => resolve(found as { looked: number; seen: string[] }));
    looking.once('error', reject);
    looking.once('exit', () => reject(new Error('the looking ended by itself')));
  });
  told.catch(() => {});
  return {
    end() {
      if (looking.connected) looking.send('end');
      return told;
    },
  };
}

/** One look, which adds to what was seen. Hands back how many processes had the variable. */
export function lookOnce(forms: readonly string[], variable: string, seen: Set<string>): number {
  let looked = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const command = textOf(`/proc/${pid}/cmdline`);
    const variables = textOf(`/proc/${pid}/environ`);
    const ours = variables.includes(variable);
    if (ours) looked += 1;
    const name = command.replaceAll('\0', ' ').trim();
    if (forms.some((form) => command.includes(form))) seen.add(`arguments of ${name}`);
    if (ours && forms.some((form) => variables.includes(form))) seen.add(`variables of ${name}`);
  }
  return looked;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // It ended meanwhile, or belongs to somebody else.
    return '';
  }
}
