import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { accessError } from '../../scripts/lib/errors.ts';
import { findForbidden, readFileOrPipe, withTemporaryFolder, writeWhole } from '../../scripts/lib/files.ts';
import { programFiles } from '../house/imports.ts';
import { compiled } from '../support/compiled.ts';
import { placeDevice, refusal, temporaryFolder } from '../support/fakes.ts';
import { textOf } from '../support/tracked-files.ts';

const folder = await temporaryFolder();
let count = 0;

/** A file in a folder of its own, with that text and mode or not there yet. */
function newFile(text?: string, mode = 0o644): string {
  count += 1;
  const file = join(folder, String(count), 'file');
  fs.mkdirSync(dirname(file));
  if (text !== undefined) fs.writeFileSync(file, text);
  if (text !== undefined) fs.chmodSync(file, mode);
  return file;
}
const modeOf = (file: string) => fs.statSync(file).mode & 0o777;
const read = (file: string) => fs.readFileSync(file, 'utf8');
const names = (file: string) => fs.readdirSync(dirname(file));

/** Functions of the file system that are others for a moment, for all modules. */
function withFunctions(others: Partial<typeof fs>, work: () => void): void {
  const real = Object.fromEntries(Object.keys(others).map((name) => [name, fs[name as keyof typeof fs]]));
  try {
    Object.assign(fs, others);
    syncBuiltinESMExports();
    work();
  } finally {
    Object.assign(fs, real);
    syncBuiltinESMExports();
  }
}

for (const [what, options, before, expected] of [
  ['a new one by the umask', {}, undefined, 0o640],
  ['a new one as asked for, whatever the umask', { mode: 0o604 }, undefined, 0o604],
  ['an old one as it is', { mode: 0o600 }, 0o664, 0o664],
  ['an old program as it is', {}, 0o755, 0o755],
  ['a new one for the owner alone', { ownerOnly: true }, undefined, 0o600],
  ['an old one less what others may', { ownerOnly: true }, 0o644, 0o600],
  ['one that the owner may only read', { ownerOnly: true }, 0o440, 0o400],
] as const) {
  test(`the mode of a file that is written: ${what}`, () => {
    const file = newFile(before === undefined ? undefined : 'old', before);
    const umask = process.umask(0o027);
    try {
      writeWhole(file, 'new', options);
    } finally {
      process.umask(umask);
    }
    assert.deepEqual([read(file), modeOf(file), names(file)], ['new', expected, ['file']]);
  });
}

test('links stay links, and the file at their end is written, also one that is not there yet', () => {
  for (const before of ['old', undefined]) {
    const file = newFile(before, 0o640);
    const [first, second] = [newFile(), newFile()];
    fs.symlinkSync(`../${basename(dirname(second))}/file`, first);
    fs.symlinkSync(file, second);
    writeWhole(first, 'new');
    assert(fs.lstatSync(first).isSymbolicLink() && fs.lstatSync(second).isSymbolicLink());
    assert.equal(read(file), 'new');
    if (before !== undefined) assert.equal(modeOf(file), 0o640);
    assert.deepEqual([names(file), names(first), names(second)], [['file'], ['file'], ['file']]);
  }
});

test('what is no regular file is never written, and stays', async () => {
  const [pipe, direct, device, link] = [newFile(), newFile(), newFile(), newFile()];
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  fs.mkdirSync(direct);
  placeDevice(device);
  fs.symlinkSync(device, link);
  for (const [file, kind] of [
    [pipe, 'a named pipe'],
    [direct, 'a folder'],
    [link, 'a device'],
  ] as const) {
    const before = fs.lstatSync(file);
    const { text } = await refusal(() => writeWhole(file, 'secret'));
    assert.match(text, new RegExp(`can't be written: it is ${kind}, not a regular file\\.\n.`));
    assert.deepEqual(
      [fs.lstatSync(file).ino, fs.lstatSync(file).mode, names(file)],
      [before.ino, before.mode, ['file']],
    );
  }
});

test('a pipe is read as a file is; what has no end is refused', async () => {
  const [pipe, endless, nothing] = [newFile(), newFile(), newFile()];
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  const writer = spawn('sh', ['-c', 'printf "A=1\\n" > "$1"', 'sh', pipe]);
  assert.equal(readFileOrPipe(pipe), 'A=1\n');
  await once(writer, 'exit');
  fs.symlinkSync('/dev/zero', endless);
  fs.symlinkSync('/dev/null', nothing);
  assert.match((await refusal(() => readFileOrPipe(endless))).text, /can't be read: it is a device/);
  assert.match((await refusal(() => readFileOrPipe(dirname(pipe)))).text, /can't be read: it is a folder/);
  assert.deepEqual([readFileOrPipe(nothing), readFileOrPipe(newFile())], ['', undefined]);
});

test('the content is on the disk before it takes the place of the old, and the name afterwards', () => {
  const file = newFile('old');
  const done: string[] = [];
  const opened = new Map<number, string>();
  const { openSync, fsyncSync, renameSync } = fs;
  withFunctions(
    {
      openSync: (path, ...rest) => {
        const descriptor = openSync(path, ...rest);
        opened.set(descriptor, String(path));
        return descriptor;
      },
      fsyncSync: (descriptor) => {
        const path = opened.get(descriptor) ?? '';
        done.push(`sync ${path === dirname(file) ? 'folder' : read(path)}`);
        fsyncSync(descriptor);
      },
      renameSync: (from, to) => {
        done.push('rename');
        renameSync(from, to);
      },
    },
    () => writeWhole(file, 'new'),
  );
  assert.deepEqual(done, ['sync new', 'rename', 'sync folder']);
});

test('where it fails, the old file stays and nothing else is left', () => {
  const fail = () => {
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };
  for (const name of ['writeFileSync', 'fsyncSync', 'renameSync', 'fchmodSync'] as const) {
    const [old, exclusive] = [newFile('old'), newFile()];
    withFunctions({ [name]: fail }, () => {
      assert.throws(() => writeWhole(old, 'new'), /ENOSPC/);
      if (name !== 'renameSync')
        assert.throws(() => writeWhole(exclusive, 'new', { mode: 0o600, exclusive: true }), /ENOSPC/);
    });
    assert.deepEqual([read(old), names(old), names(exclusive)], ['old', ['file'], []], name);
  }
});

test('a new file that must not be there yet replaces none', () => {
  const file = newFile('theirs');
  assert.throws(() => writeWhole(file, 'ours', { exclusive: true }), { code: 'EEXIST' });
  assert.deepEqual([read(file), names(file)], ['theirs', ['file']]);
});

test('what a killed process left beside the file is removed, what a running one writes is not', () => {
  const file = newFile();
  const mine = [`file.${spawnSync('true').pid}-0123abcd.tmp`, `file.${process.pid}-0123abcd.tmp`];
  const stays = [`file.${process.ppid}-0123abcd.tmp`, 'file.1.tmp', 'other.1-0123abcd.tmp'];
  for (const name of [...mine, ...stays]) fs.writeFileSync(join(dirname(file), name), 'token');
  writeWhole(file, 'new');
  assert.deepEqual(names(file).toSorted(), ['file', ...stays].toSorted());
});

test('a temporary folder is gone afterwards, and that of a killed process with the next one', async () => {
  const parent = newFile();
  fs.mkdirSync(parent);
  const program = compiled(`
    import { withTemporaryFolder } from './scripts/lib/files.ts';
    await withTemporaryFolder((folder) => {
      console.log(folder);
      process.kill(process.pid, process.argv[2]);
      if (process.argv[2] === '0') process.exit(0);
    });`);
  const run = (signal: string) =>
    spawnSync(process.execPath, [program, signal], { env: { ...process.env, TMPDIR: parent }, encoding: 'utf8' });
  const left = run('SIGKILL').stdout.trim();
  assert.equal(modeOf(left), 0o700);
  const before = process.env.TMPDIR;
  process.env.TMPDIR = parent;
  try {
    const count = async () => fs.readdirSync(parent).length;
    assert.equal(await withTemporaryFolder(() => withTemporaryFolder(count)), 2, 'its own, and no other one');
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
  assert.match(run('0').stdout, /platform-ops/);
  assert.deepEqual(fs.readdirSync(parent), []);
});

test('any number of processes write the same file at once, and it is whole at any moment', async () => {
  const file = newFile('0'.repeat(100_000));
  const program = compiled(`
    import { writeWhole } from './scripts/lib/files.ts';
    for (let round = 0; round < 50; round += 1) writeWhole(process.argv[2], process.argv[3].repeat(100_000));`);
  let running = 4;
  const ended = Array.from({ length: running }, async (_, index) => {
    const [code] = await once(spawn(process.execPath, [program, file, String(index)], { stdio: 'inherit' }), 'exit');
    running -= 1;
    return code;
  });
  while (running > 0) {
    assert.match(read(file), /^(\d)\1{99999}$/);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await Promise.all(ended), [0, 0, 0, 0]);
  assert.deepEqual(names(file), ['file']);
});

test('a file that is a mount of its own is written over', async (t) => {
  const file = join(await temporaryFolder(), '.env');
  fs.writeFileSync(file, 'long before', { mode: 0o644 });
  t.mock.method(fs, 'renameSync', () => {
    throw Object.assign(new Error('busy'), { code: 'EBUSY' });
  });
  syncBuiltinESMExports();
  try {
    writeWhole(file, 'after', { ownerOnly: true });
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
  assert.deepEqual([fs.readFileSync(file, 'utf8'), fs.statSync(file).mode & 0o777], ['after', 0o600]);
  assert.deepEqual(fs.readdirSync(dirname(file)), ['.env']);
});

test('what this user may not use is named, with its owner where that is another one', async (t) => {
  const folder = await temporaryFolder();
  const denied = (path: string, code = 'EACCES') => accessError(Object.assign(new Error(code), { code, path }));
  assert.match(denied(join(folder, 'gone', 'x'))?.hint ?? '', /^chmod u\+rwX "[^"]*[^x]"$/);
  t.mock.method(process as { getuid(): number }, 'getuid', () => fs.statSync(folder).uid + 1);
  const error = denied(folder);
  assert.equal(error?.id, 'file-not-permitted');
  assert.equal(error?.hint, `sudo chown -R "$(id -u):$(id -g)" "${folder}"`);
  assert.match(denied(folder, 'EROFS')?.message ?? '', /read-only/);
  assert.equal(denied(folder, 'ENOENT'), undefined);
  assert.equal(findForbidden([folder, join(folder, 'not there yet')]), undefined);
});

/** Who writes in another way, and why that is right. */
const others: Record<string, string> = {
  'scripts/lib/files.ts': 'this is the way',
  'scripts/lib/lock.ts': 'a file of a name of its own, which nobody reads by its content alone',
  'scripts/lib/http/download.ts': 'a stream, checked by its sha256 at every use',
  'scripts/kubernetes/tools/toolbox.ts': 'a program, checked by its sha256 at every use',
  'scripts/images/cache.ts': 'an archive that Docker writes, checked by its digest at every use',
  'scripts/checks/validate/prometheus/prometheus.ts': 'files in a temporary folder',
  'scripts/lib/terminal/output.ts': 'writes to a stream',
  'scripts/cluster/kubeconfig.ts': 'copies into a temporary folder',
  'scripts/components/argo-cd.ts': 'copies into a temporary folder',
};

test('every file is written in this way', () => {
  const writing = programFiles().filter((file) => {
    const imported = [...textOf(file).matchAll(/^import ([^;]*?) from 'node:fs(?:\/promises)?';/gm)].map(
      ([, names]) => names,
    );
    return imported.some((names) => /\* as|\b(writeFile|rename|copyFile|cp|createWriteStream)/.test(names ?? ''));
  });
  assert.deepEqual(writing.toSorted(), Object.keys(others).toSorted());
});
