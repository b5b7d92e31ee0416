import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf, trackedFiles } from '../support/tracked-files.ts';

interface Manager {
  customType: string;
  managerFilePatterns: string[];
  matchStrings: string[];
  depNameTemplate?: string;
  datasourceTemplate: string;
}
interface Rule {
  matchPackageNames: string[];
  groupName: string;
}
const config = JSON.parse(textOf('.github/renovate.json')) as {
  enabledManagers: string[];
  customManagers: Manager[];
  packageRules: Rule[];
  'github-actions': { managerFilePatterns: string[] };
};
const patterns = (all: readonly string[]) =>
  all.map((pattern) => new RegExp(pattern.match(/^\/(.*)\/$/)?.[1] ?? assert.fail(pattern)));

/** A version that a manager would raise: where it stands, and whose it is. */
interface Found {
  file: string;
  at: number;
  name: string;
  value: string;
}
const files = trackedFiles();
const foundBy = (manager: Manager): Found[] =>
  files
    .filter((file) => patterns(manager.managerFilePatterns).some((pattern) => pattern.test(file)))
    .flatMap((file) =>
      manager.matchStrings.flatMap((text) =>
        [...textOf(file).matchAll(new RegExp(text, 'gd'))].map((match) => ({
          file,
          at: match.indices?.groups?.currentValue?.[0] ?? assert.fail(text),
          name: manager.depNameTemplate ?? match.groups?.depName ?? assert.fail(text),
          value: match.groups?.currentValue ?? '',
        })),
      ),
    );
const found = config.customManagers.map(foundBy);
const place = ({ file, at }: { file: string; at: number }) => `${file}:${textOf(file).slice(0, at).split('\n').length}`;

/** Where versions are pinned, said anew: by file, a pattern whose group is each version in it. */
const pins: [file: RegExp, pin: RegExp][] = [
  [/^scripts\/config\/versions\.ts$/, /(?<=^(?! *(?:\/\/|\*)).*?)(?<!minimum: '.*)\b(v\d+\.\d+\.\d+)\b/gm],
  [/^scripts\/config\/versions\.ts$/, /(?<=stubBaseImage = '\S+:)([^']+)/g],
  [/^scripts\/config\/versions\.ts$/, /(?<=kind(?:'s release)? )(v\d+\.\d+\.\d+)\b/g],
  [/^scripts\/checks\/validate\/schemas\/update\/sources\.ts$/, /(?<=@)(v[\d.]+)/g],
  [/^(cluster|ingress|observability)\/.*\.yaml$/, /(?<=^ +(?:- )?image: \S+?:)(\S+)/gm],
  [/^helm\/[^/]+\/values\.yaml$/, /(?<=^ +image: \S+?:)(\S+)/gm],
  [/^standins\/Dockerfile$/, /(?<=^FROM \S+?:)(\S+)/gm],
  [/^\.env\.example$/, /(?<=kindest\/node:)([^@\s]+)/g],
  [/^docs\/runbooks\//, /(?<=--image=\S+?:)([^\s`]+)/g],
];
const pinned = pins.flatMap(([where, pin]) =>
  files
    .filter((file) => where.test(file))
    .flatMap((file) =>
      [...textOf(file).matchAll(pin)].map((match) => ({ file, at: match.index, value: match[1] ?? '' })),
    ),
);

test('every version that is pinned is raised by exactly one manager, and no manager raises anything else', () => {
  assert(pinned.length > 25, `${pinned.length}`);
  for (const pin of pinned) {
    const by = found.filter((all) => all.some((one) => one.file === pin.file && one.at === pin.at));
    assert.equal(by.length, 1, `${place(pin)} ${pin.value}`);
  }
  for (const one of found.flat())
    assert(
      pinned.some((pin) => pin.file === one.file && pin.at === one.at && pin.value === one.value),
      `${place(one)} ${one.value}`,
    );
});

test('every manager finds something, and the tag of a service is nobody’s', () => {
  config.customManagers.forEach(({ matchStrings }, index) => {
    assert((found[index] ?? []).length > 0, matchStrings.join());
  });
  assert(found.flat().every(({ name }) => !name.startsWith('ghcr.io/')));
});

test('what is one release goes into one branch', () => {
  const names = new Set(found.flat().map(({ name }) => name));
  const grouped = config.packageRules.flatMap(({ matchPackageNames }) => matchPackageNames);
  assert.equal(new Set(grouped).size, grouped.length, 'each in one group');
  assert.deepEqual(
    grouped.filter((name) => !names.has(name)),
    [],
    'no rule for what nobody finds',
  );
  for (const pair of [
    ['argoproj/argo-cd', 'quay.io/argoproj/argocd', 'github.com/argoproj/argo-cd/v3'],
    ['prometheus/prometheus', 'docker.io/prom/prometheus'],
    ['kubernetes-sigs/kind', 'kindest/node'],
  ]) {
    assert.deepEqual(
      config.packageRules.find(({ matchPackageNames }) => matchPackageNames.includes(pair[0] ?? ''))?.matchPackageNames,
      pair,
    );
  }
  for (const [one, other] of [
    ['argoproj/argo-cd', 'quay.io/argoproj/argocd'],
    ['prometheus/prometheus', 'docker.io/prom/prometheus'],
  ]) {
    const values = found
      .flat()
      .filter(({ name }) => name === one || name === other)
      .map(({ value }) => value);
    assert.equal(new Set(values).size, 1, `${one} and ${other} are the same version today`);
  }
});

test('the patterns are such as RE2 knows, by which Renovate reads them', () => {
  for (const { matchStrings } of config.customManagers)
    for (const text of matchStrings) assert.doesNotMatch(text, /\(\?(=|!|<=|<!)|\\[1-9]|\\k/);
});

test('npm and the workflows are left to the managers that know them, in every place', () => {
  assert.deepEqual(config.enabledManagers.toSorted(), ['custom.regex', 'github-actions', 'npm']);
  const usual = /^\.github\/workflows\/[^/]+\.ya?ml$/;
  const calling = files.filter((file) => /\.ya?ml$/.test(file) && /^\s+(- )?uses: /m.test(textOf(file)));
  assert(calling.length >= 2);
  for (const file of calling)
    assert(
      [usual, ...patterns(config['github-actions'].managerFilePatterns)].some((pattern) => pattern.test(file)),
      file,
    );
});
