import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseDotenv } from '../../scripts/config/dotenv.ts';
import { readSetting, type SettingName, settingNames, settings } from '../../scripts/config/settings.ts';
import { ExitCode, UsageError } from '../../scripts/lib/errors.ts';
import { refusal } from '../support/fakes.ts';

const canary = 'ghp_canaryCanaryCanary';

const good: [SettingName, string, unknown][] = [
  ['CLUSTER_NAME', 'a', 'a'],
  ['CLUSTER_NAME', `${'a'.repeat(47)}1`, `${'a'.repeat(47)}1`],
  ['KIND_NODE_IMAGE', 'registry.example:5000/node:v1.35.0@sha256:0a', 'registry.example:5000/node:v1.35.0@sha256:0a'],
  ['HTTP_PORT', '65535', 65535],
  ['GITOPS_REPO_URL', 'git@github.com:someone/ops.git', 'git@github.com:someone/ops.git'],
  ['GITOPS_REPO_URL', 'ssh://git@github.com/someone/ops.git', 'ssh://git@github.com/someone/ops.git'],
  ['GITOPS_REPO_URL', 'https://example.com/team@home/ops', 'https://example.com/team@home/ops'],
  ['GITOPS_REPO_URL', 'ssh://git@example.com:2222/team@home/ops', 'ssh://git@example.com:2222/team@home/ops'],
  ['GITHUB_TOKEN', 'github_pat_11AB_c', 'github_pat_11AB_c'],
  ['GHCR_CREDENTIALS', 'none', 'none'],
  ['ENVIRONMENT', 'prod', 'prod'],
  ['ENVIRONMENT', 'staging', 'staging'],
  ['ARGOCD_FULL', 'TRUE', true],
  ['ARGOCD_FULL', '0', false],
  ['IGNORE_CHECKS', 'cgroup, memory,', ['cgroup', 'memory']],
];
for (const [name, text, value] of good) {
  test(`${name}=${text.slice(0, 60)} is accepted`, () => assert.deepEqual(readSetting(name, text), value));
}

const bad: [SettingName, string, RegExp][] = [
  ['CLUSTER_NAME', 'Upper', /lower-case/],
  ['CLUSTER_NAME', '-a', /lower-case/],
  ['CLUSTER_NAME', 'a-', /lower-case/],
  ['CLUSTER_NAME', '../../x', /lower-case/],
  ['CLUSTER_NAME', 'a'.repeat(49), /48/],
  ['KIND_NODE_IMAGE', 'kindest/node:latest', /version/],
  ['KIND_NODE_IMAGE', 'kindest/node', /version/],
  ['HTTP_PORT', '0', /65535/],
  ['HTTP_PORT', '65536', /65535/],
  ['HTTPS_PORT', '80a', /65535/],
  ['HTTPS_PORT', '1e3', /65535/],
  ['HTTPS_PORT', '-80', /65535/],
  ['GITOPS_REPO_URL', '/some/folder', /https or ssh/],
  ['GITOPS_REPO_URL', 'http://example.com/ops', /https or ssh/],
  ['GITOPS_REPO_URL', `https://ann:${canary}@github.com/someone/ops`, /without a user name or token/],
  ['GITOPS_REPO_URL', `https://${canary}@github.com/someone/ops`, /without a user name or token/],
  ['GITOPS_REPO_URL', `ssh://ann:${canary}@github.com/someone/ops`, /without a user name or token/],
  ['GITOPS_REPO_URL', `ssh://:${canary}@github.com:22/someone/ops`, /without a user name or token/],
  ['GITOPS_REVISION', 'two words', /a branch/],
  ['ENVIRONMENT', 'production', /dev, staging or prod/],
  ['ENVIRONMENT', 'PROD', /dev, staging or prod/],
  ['GHCR_CREDENTIALS', 'auto ', /auto or none/],
  ['ARGOCD_FULL', 'maybe', /true or false/],
  ['IGNORE_CHECKS', 'cgroup,canary', /comma-separated list of docker, memory, disk, cgroup, .*tools\.$/],
];
for (const [name, text, rule] of bad) {
  test(`${name}=${text.replace(canary, '<token>').slice(0, 60)} is refused with the rule, not with the value`, async () => {
    const { error, text: said } = await refusal(() => readSetting(name, text));
    assert(error instanceof UsageError && error.exitCode === ExitCode.usage);
    assert.equal(error.id, 'setting-wrong');
    assert(error.message.includes(name) && error.hint?.includes(name), said);
    assert.match(error.message, rule);
    assert.doesNotMatch(said, /canary/i);
  });
}

test('an empty text counts as not set', () => {
  for (const name of settingNames) assert.deepEqual(readSetting(name, ''), readSetting(name, undefined), name);
});

test('.env.example names every setting with its default, and no other', () => {
  const example = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
  const listed = [...example.matchAll(/^#?([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
  assert.deepEqual(
    Object.fromEntries(listed),
    Object.fromEntries(settingNames.map((name) => [name, settings[name].fallback])),
  );
  assert.equal(listed.length, settingNames.length, 'each of them once');
  const uncommented = example.replaceAll(/^#([A-Z_]+=)/gm, '$1');
  assert.deepEqual(
    Object.keys(parseDotenv(uncommented)),
    listed.map(([name]) => name),
  );
  assert.deepEqual(parseDotenv(example), {}, 'a copy of it changes nothing');
});

test('.env may have comments, blank lines, export, quotes, Windows line ends and a byte order mark', () => {
  const text =
    '\uFEFF# first\r\n\r\n  HTTP_PORT = 9080 # comment\r\nexport CLUSTER_NAME="a-b"\r\nGITHUB_TOKEN=\'x # y\'\r\n';
  assert.deepEqual(parseDotenv(text), { HTTP_PORT: '9080', CLUSTER_NAME: 'a-b', GITHUB_TOKEN: 'x # y' });
});

const malformed: [string, string, RegExp, RegExp][] = [
  ['a line that is no assignment', `# first\n${canary}\n`, /\.env, line 2/, /#/],
  ['a colon in place of the equals sign', `GITHUB_TOKEN: ${canary}`, /line 1/, /#/],
  ['a name with a dash', `GITHUB-TOKEN=${canary}`, /line 1/, /#/],
  ['a quote that stays open', `\nGITHUB_TOKEN="${canary}\n`, /line 2.*GITHUB_TOKEN/, /quote/],
  ['a closing quote of the other kind', `GITHUB_TOKEN="${canary}'`, /line 1.*GITHUB_TOKEN/, /quote/],
  ['a setting twice', `GITHUB_TOKEN=${canary}\nGITHUB_TOKEN=${canary}2`, /line 2.*GITHUB_TOKEN.*line 1/, /lines/],
  ['a misspelt setting', `GITHUB_TOKN=${canary}`, /line 1.*GITHUB_TOKN/, /GITHUB_TOKEN/],
  ['a setting in lower case', `github_token=${canary}`, /github_token/, /GITHUB_TOKEN/],
  ['a setting like none of ours', `DATABASE=${canary}`, /DATABASE/, /\.env\.example/],
];
for (const [what, text, message, hint] of malformed) {
  test(`.env with ${what} is refused by its line, without its content`, async () => {
    const { error, text: said } = await refusal(() => parseDotenv(text));
    assert(error instanceof UsageError && error.id === 'setting-wrong');
    assert.match(error.message, message);
    assert.match(error.hint ?? '', hint);
    assert.doesNotMatch(said, /canary/i);
  });
}
