// Every rule of `npm run validate` finds the fault that it is for, and nothing in the repository as it is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { score } from '../../scripts/checks/validate/kube-score.ts';
import { exemptions } from '../../scripts/checks/validate/objects/exemptions.ts';
import { policyRules } from '../../scripts/checks/validate/objects/policy.ts';
import { checkObjects, environments } from '../../scripts/checks/validate/objects/rule.ts';
import { applyFixes, runValidation, validationChecks } from '../../scripts/checks/validate/run.ts';
import { openRepository, type ValidationCheck } from '../../scripts/repository/rendering/repository.ts';
import { type Fault, openCopy, readFaults, withFaults } from '../support/faults.ts';
import { root } from '../support/helm.ts';
import { foundLines, tools, unedited, whyNotChecked } from '../support/validation.ts';

const batches = readFaults();
const faults = batches.flat();
const checkOf = new Map(
  validationChecks.flatMap((check) => Object.keys(check.rules).map((rule) => [rule, check] as const)),
);

const faultIn = (file: string, rule: string) =>
  faults.find((fault) => fault.rule === rule && fault.found === file) ?? assert.fail(`${rule} in ${file}`);
/** What checks say of a copy with these faults. */
function validated(folder: string, made: readonly Fault[], checks: readonly ValidationCheck[]) {
  // Of the charts themselves the others were looked at, as they are.
  const alone = checks.every(({ name }) => name === 'charts');
  return runValidation(checks, openCopy(folder, made, alone), tools);
}

test('no rule belongs to two checks, and each is caught breaking by a fault', () => {
  const rules = validationChecks.flatMap(({ rules }) => Object.keys(rules));
  assert.deepEqual(rules.toSorted(), [...new Set(rules)].toSorted());
  assert.deepEqual([...new Set(faults.map(({ rule }) => rule))].sort(), rules.toSorted());
  // Of those that are made at once no finding can stand for two.
  for (const batch of batches) {
    const told = batch.map(({ rule, found, line, message }) => `${rule} in ${found}:${line} ${message}`);
    assert.deepEqual(told.toSorted(), [...new Set(told)].sort());
  }
});

describe('the repository as it is', { concurrency: 2 }, () => {
  for (const check of validationChecks) {
    test(`${check.name}: ${check.title}`, async (t) => {
      const outcomes = await runValidation([check], unedited, tools);
      const reason = whyNotChecked(outcomes);
      if (reason !== undefined) return t.skip(reason);
      assert.equal(foundLines(outcomes), '');
    });
  }
});

describe('faults are found', { concurrency: 4 }, () => {
  for (const batch of batches) {
    const checks = [...new Set(batch.map(({ rule }) => checkOf.get(rule) ?? assert.fail(rule)))];
    const [first] = batch;
    test(`${checks.map(({ name }) => name)}: ${first?.rule} in ${first?.found}, ${batch.length} in all`, async (t) => {
      const outcomes = await withFaults(batch, (folder) => validated(folder, batch, checks));
      const reason = whyNotChecked(outcomes);
      if (reason !== undefined) return t.skip(reason);
      for (const { check, findings } of outcomes)
        for (const { rule } of findings)
          assert(Object.hasOwn(check.rules, rule), `${check.name} does not list ${rule}`);
      const all = outcomes.flatMap(({ findings }) => findings);
      const unseen = batch.filter(({ rule, found, line: wanted, message = '' }) => {
        const inPlace = all.filter((one) => one.rule === rule && one.file === found && one.remedy !== '');
        return !inPlace.some((one) => (wanted ?? one.line) === one.line && new RegExp(message).test(one.message));
      });
      const told = unseen.map(({ rule, found, message }) => `${rule} in ${found} (${message})`).join(', ');
      assert.equal(told, '', `not found: ${told}; what is:\n${foundLines(outcomes)}`);
    });
  }
});

test('an exemption is for something that would be found without it, and says why', async (t) => {
  const without = (index: number) => exemptions.filter((_, each) => each !== index);
  const worlds = await environments(unedited).catch(() => undefined);
  if (worlds === undefined) return t.skip('helm is missing');
  for (const [index, { rule, because }] of exemptions.entries()) {
    const isRule = policyRules.some(({ id }) => id === rule);
    const found = isRule
      ? await checkObjects(unedited, policyRules, without(index))
      : (await Promise.all(worlds.map((all) => score(all, tools, without(index))))).flat();
    assert(found.length > 0, `${rule}: nothing is found without the exemption`);
    assert(found.every((finding) => finding.rule === rule || finding.message.includes(`(${rule})`)));
    assert(because.length > 10);
  }
});

test('a tag of digits is put into quotes by --fix, with its very text', async (t) => {
  const fault = faultIn('helm/core-go/values.yaml', 'chart-unquoted-text');
  const charts = validationChecks.filter(({ name }) => name === 'charts');
  const reason = await withFaults([fault], async (folder) => {
    const before = await validated(folder, [fault], charts);
    if (whyNotChecked(before) !== undefined) return whyNotChecked(before);
    assert.equal((await applyFixes(before)).length, 1);
    assert.match(readFileSync(join(folder, 'helm/core-go/values.yaml'), 'utf8'), /^ {2}tag: "12e0045"$/m);
    assert.equal(foundLines(await validated(folder, [fault], charts)), '');
    return undefined;
  });
  if (reason !== undefined) t.skip(reason);
});

test('a dashboard in another order is put into its normal form by --fix', async () => {
  const file = 'observability/grafana/dashboards/core-go.json';
  const dashboards = validationChecks.filter(({ name }) => name === 'dashboards');
  await withFaults([faultIn(file, 'dashboard-form')], async (folder) => {
    const fixed = await applyFixes(await runValidation(dashboards, openRepository(folder, tools), tools));
    assert.deepEqual(
      fixed.map(({ rule }) => rule),
      ['dashboard-form'],
    );
    assert.equal(readFileSync(join(folder, file), 'utf8'), readFileSync(join(root, file), 'utf8'));
  });
});

test('no check breaks down on files that can not be read', async (t) => {
  const broken = [
    faultIn('cluster/git-server.yaml', 'yaml-syntax'),
    faultIn('ingress/nothing.yaml', 'yaml-object'),
    faultIn('helm/core-go/values.yaml', 'yaml-syntax'),
  ];
  const outcomes = await withFaults(broken, (folder) => validated(folder, broken, validationChecks));
  const reason = whyNotChecked(outcomes);
  if (reason !== undefined) return t.skip(reason);
  assert.match(foundLines(outcomes), /yaml-syntax/);
});

test('a changed template raises the version of every chart that it is part of by --fix, and what it raised stays', async () => {
  const releases = validationChecks.filter(({ name }) => name === 'releases');
  const fault = faultIn('helm/common/Chart.yaml', 'chart-version');
  const charts = ['api-node', 'common', 'core-go', 'worker-python'].map((name) => `helm/${name}/Chart.yaml`);
  await withFaults(
    [{ ...fault, edits: [...fault.edits, ...charts.map((file) => ({ in: file, append: '' }))] }],
    async (folder) => {
      const looked = () => runValidation(releases, openRepository(folder, tools), tools);
      const fixed = await applyFixes(await looked());
      assert.deepEqual(
        fixed.map(({ file }) => file),
        charts,
      );
      assert.equal(foundLines(await looked()), '');
      const versionsIn = (file: string) => new Set(readFileSync(file, 'utf8').match(/version: .*/g));
      const [now = ''] = versionsIn(join(root, 'helm/common/Chart.yaml'));
      const next = now.replace(/\d+$/, (patch) => String(Number(patch) + 1));
      // Its own, and that of the library where it asks for that.
      for (const file of charts) assert.deepEqual(versionsIn(join(folder, file)), new Set([next]), file);
    },
  );
});

test('a chart written by hand needs no values.yaml, and its Application then names none', async (t) => {
  const application = readFileSync(join(root, 'argocd/core-go.yaml'), 'utf8');
  const plain = application
    .replaceAll('core-go', 'plain')
    .replace(/\n {6}# The later file wins.*\n {6}valueFiles:\n( {8}- .*\n)+/, '\n');
  const template = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: plain\n';
  const edits = [
    { in: 'helm/plain/Chart.yaml', content: 'apiVersion: v2\nname: plain\nversion: 0.1.0\n' },
    { in: 'helm/plain/templates/settings.yaml', content: template },
    { in: 'argocd/plain.yaml', content: plain },
  ];
  const fault = { rule: 'application-values', found: 'argocd/plain.yaml', edits };
  const applications = validationChecks.filter(({ name }) => name === 'applications');
  const outcomes = await withFaults([fault], (folder) =>
    runValidation(applications, openRepository(folder, tools), tools),
  );
  const reason = whyNotChecked(outcomes);
  if (reason !== undefined) return t.skip(reason);
  assert.doesNotMatch(plain, /valueFiles/);
  assert.equal(foundLines(outcomes), '');
});
