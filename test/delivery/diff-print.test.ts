import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { diffPage } from '../../scripts/delivery/diff/print.ts';
import { type DiffReport, diffExitCode } from '../../scripts/delivery/diff/report.ts';

const quiet = { changes: [], refused: [], kept: [], hooks: [], notes: [] };
const nothing: DiffReport = {
  differs: false,
  complete: true,
  cluster: 'c',
  commit: 'abcdef0',
  applications: [{ ...quiet, name: 'core-go' }],
  up: [],
  notes: [],
};
const named = { namespace: 'default', name: 'core-go' };
const all: DiffReport = {
  ...nothing,
  differs: true,
  complete: false,
  applications: [
    {
      name: 'core-go',
      changes: [
        { kind: 'ConfigMap', ...named, action: 'create', diff: '@@ -0,0 +1,1 @@\n+kind: ConfigMap' },
        {
          kind: 'Deployment',
          ...named,
          action: 'change',
          restart: { pods: 2, reasons: ['image a → b', 'variable X'] },
          diff: '@@ -1,2 +1,2 @@\n spec:\n-  a: 1\n+  a: 2',
        },
        { kind: 'PodDisruptionBudget', ...named, action: 'prune' },
      ],
      refused: [{ kind: 'Ingress', ...named, reason: 'admission webhook "x" denied the request: no' }],
      kept: [{ kind: 'Service', ...named, because: 'it says Prune=false' }],
      hooks: [{ kind: 'Job', ...named, phases: ['PreSync'] }],
      notes: ['Argo CD has it OutOfSync.'],
    },
    {
      ...quiet,
      name: 'api-node',
      error: { message: "api-node can't be rendered: helm/x:3: no\nand more", hint: 'Mend it.' },
    },
    { ...quiet, name: 'worker-python' },
  ],
  up: [
    { component: 'prometheus', changes: [{ kind: 'Namespace', name: 'n', action: 'create' }], refused: [] },
    { component: 'argo-cd', changes: [], refused: [], error: { message: 'not fetched' } },
  ],
  notes: ['standins/ is edited.'],
};

test('each object is told with what would become of it, and what that restarts', () => {
  const text = diffPage(all, false);
  const lines = text.split('\n');
  for (const line of [
    'Application core-go',
    '  ! Argo CD has it OutOfSync.',
    '  + ConfigMap default/core-go would be created',
    '    +kind: ConfigMap',
    '  ~ Deployment default/core-go would change',
    '    2 pods would restart: image a → b, variable X',
    '     spec:',
    '    -  a: 1',
    '  - PodDisruptionBudget default/core-go would be pruned',
    '  ✖ Ingress default/core-go would be refused: admission webhook "x" denied the request: no',
    '  ! Service default/core-go is no longer rendered, and stays: it says Prune=false.',
    '  > Job default/core-go would be run (PreSync)',
    "  ✖ api-node can't be rendered: helm/x:3: no",
    '    and more',
    '    → Mend it.',
    'Application worker-python: nothing would change',
    'npm run up would change, for Argo CD does not look after it:',
    '  + Namespace n would be created',
    '  ✖ not fetched',
    '! standins/ is edited.',
    '2 would be created, 1 would change, 1 would be pruned, 2 pods would restart.',
    'Not everything could be compared: see ✖ above.',
  ])
    assert.ok(lines.includes(line), `${line}\nis not in\n${text}`);
});

test('the same change of several objects is shown once', () => {
  const label = (kind: string, indent: string, more = '') => ({
    kind,
    ...named,
    action: 'change' as const,
    diff: `@@ -1,2 +1,2 @@\n around ${kind}\n-${indent}version: a\n+${indent}version: b${more}`,
  });
  const changes = [label('Service', '  '), label('ConfigMap', '    '), label('Ingress', '  ', '\n+  more: x')];
  const lines = diffPage({ ...nothing, differs: true, applications: [{ ...quiet, name: 'core-go', changes }] }, false);
  assert.match(
    lines,
    /~ ConfigMap default\/core-go would change, as Service default\/core-go\n {2}~ Ingress default\/core-go would change\n/,
  );
  assert.doesNotMatch(lines, /around ConfigMap/);
});

test('nothing is said to be nothing, and only where all of it was compared', () => {
  assert.match(diffPage(nothing, false), /Application core-go: nothing would change\n\nNothing would change\.$/);
  const failed = { ...quiet, name: 'core-go', error: { message: 'no' } };
  const text = diffPage({ ...nothing, complete: false, applications: [failed] }, false);
  assert.doesNotMatch(text, /Nothing would change\./);
  assert.match(text, /No change was found in the rest\.\nNot everything/);
});

test('colours are for terminals, and change no word', () => {
  assert.equal(diffPage(all, false), stripVTControlCharacters(diffPage(all, false)));
  const coloured = diffPage(all, true);
  assert.equal(stripVTControlCharacters(coloured), diffPage(all, false));
  for (const [code, line] of [
    [31, '-  a: 1'],
    [32, '+  a: 2'],
    [36, '@@ -1,2 +1,2 @@'],
  ])
    assert.ok(coloured.includes(`\u001b[${code}m${line}\u001b[39m`), `${line}`);
});

const codes: [boolean, boolean, number][] = [
  [false, true, 0],
  [true, true, 1],
  [true, false, 2],
  [false, false, 2],
];
for (const [differs, complete, code] of codes) {
  test(`${differs ? 'differences' : 'none'}, ${complete ? 'all' : 'not all'} compared: exit code ${code}`, () => {
    assert.equal(diffExitCode({ ...nothing, differs, complete }), code);
  });
}
