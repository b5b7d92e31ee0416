import type { Finding } from '../../../repository/rendering/finding.ts';
import type { Repository } from '../../../repository/rendering/repository.ts';

/** What secrets look like, by the prefixes that their makers gave them so that they can be found. */
export const secretPatterns: readonly [what: string, pattern: RegExp][] = [
  ['a private key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
  ['a token of GitHub', /\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,})/],
  ['a token of GitLab', /\bglpat-[\w-]{20,}/],
  ['a key of AWS', /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ['a key of Google', /\bAIza[\w-]{35}\b/],
  ['a token of Slack', /\bxox[abprs]-[\w-]{10,}/],
  ['a token of npm', /\bnpm_[A-Za-z0-9]{36}\b/],
  ['a signed web token', /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/],
  ['a password in an address', /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@{}$]+:[^\s/@{}$]{3,}@/],
];

/** Lines of any manifest, chart or values file that look like a secret. Says where, and never what. */
export async function findSecrets(repository: Repository): Promise<Finding[]> {
  const folders = ['helm', 'argocd', 'observability', 'ingress', 'cluster'];
  const files = (await Promise.all(folders.map((folder) => repository.files(folder)))).flat();
  const texts = files.filter(
    (file) => /\.(ya?ml|json|tpl|txt|lua)$/.test(file) && !/^helm\/[^/]+\/charts\//.test(file),
  );
  const found = texts.map(async (file) =>
    (await repository.text(file)).split('\n').flatMap((text, i): Finding[] => {
      const what = secretPatterns.find(([, pattern]) => pattern.test(text))?.[0];
      const remedy = 'Take it out, and have it replaced where it came from: whatever was in Git once is known.';
      return what === undefined
        ? []
        : [{ rule: 'secret-text', file, line: i + 1, message: `This looks like ${what}.`, remedy }];
    }),
  );
  return (await Promise.all(found)).flat();
}
