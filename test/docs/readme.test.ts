// That what the README says of versions and components is what the code has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory } from '../../scripts/checks/doctor/machine.ts';
import { allComponents, componentsFor } from '../../scripts/components/index.ts';
import { loadConfig } from '../../scripts/config/config.ts';
import { monitoringParts, settings } from '../../scripts/config/settings.ts';
import { docker, git } from '../../scripts/config/versions.ts';
import { textOf, trackedFiles } from '../support/tracked-files.ts';

const readme = textOf('README.md');
const section = (title: string) =>
  readme.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? assert.fail(title);
const row = (text: string, first: RegExp) =>
  text.split('\n').find((line) => line.startsWith('|') && first.test(line)) ?? assert.fail(`${first}`);
const short = (version: string) => version.replace(/\.0$/, '');

test('the versions that are needed are those that the code demands', () => {
  const { engines } = JSON.parse(textOf('package.json')) as { engines: { node: string } };
  const start = section('Start');
  assert(row(start, /\[Docker\]/).includes(`| ${short(docker.minimum)} or newer |`));
  assert(row(start, /\[Node\.js\]/).includes(`| ${engines.node.replace('>=', '')} or newer |`));
  assert(row(start, /\| Git/).includes(`| ${short(git.minimum)} or newer |`));
  for (const [name, pattern] of [
    ['comfortable', /with (\d) GiB/],
    ['needed', /; (\d) GiB/],
  ] as const) {
    const [, said] = row(start, /\[Docker\]/).match(pattern) ?? assert.fail(name);
    assert.equal(memory[name], Number(said) * 2 ** 30, name);
  }
});

test('the diagram shows each component and what it needs, as up applies them', () => {
  const [, diagram = ''] = section('How it works').match(/```mermaid\nflowchart LR\n([\s\S]*?)```/) ?? [];
  const arrows = diagram
    .trim()
    .split('\n')
    .map((line) => line.trim());
  const wanted = componentsFor(loadConfig('/nowhere', {})).flatMap(({ name, needs }) =>
    needs.map((need) => `${need} --> ${name}`),
  );
  assert.deepEqual(arrows.toSorted(), wanted.sort());
});

test('how it works names every component that there is, also those that settings choose', () => {
  const text = section('How it works');
  for (const { name } of allComponents()) assert(new RegExp(`(\`| )${name}(\`| |\\n)`).test(text), name);
  for (const part of monitoringParts) assert(text.includes(`\`${part}\``), part);
});

test('the table of addresses has every host at the ports of the settings', () => {
  const hosts = [
    'api',
    ...trackedFiles().flatMap((file) => file.match(/^ingress\/(?!traefik)(\w+)\.yaml$/)?.[1] ?? []),
  ];
  assert(hosts.length >= 4);
  for (const host of hosts)
    assert(section('Start').includes(`<https://${host}.localhost:${settings.HTTPS_PORT.fallback}`), host);
  assert(section('Start').includes(`http://…:${settings.HTTP_PORT.fallback}`));
});

test('every folder that Git follows is told of, and the three lines to start are there', () => {
  const folders = new Set(trackedFiles().flatMap((file) => file.match(/^([\w-]+)\//)?.[1] ?? []));
  for (const folder of folders) assert(readme.includes(`${folder}/`), folder);
  assert.match(section('Start'), /git clone \S+ && cd platform-ops\n {4}npm ci\n {4}npm run up\n/);
});
