// That whatever people do one after another, a values file is whole, and says what the last of them meant. npm test takes
// a sample of one sequence for each form of the file, always the same; npm run test:properties takes as many as PROPERTY_RUNS
// says, other ones each time.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { land } from '../../scripts/delivery/promote/land.ts';
import { type DeliveryPlan, planPromotion, planRelease } from '../../scripts/delivery/promote/plan.ts';
import { planRollback, readRollbackFacts } from '../../scripts/delivery/promote/rollback.ts';
import {
  openWorkspace,
  readServices,
  type ServiceState,
  type Workspace,
} from '../../scripts/delivery/promote/workspace.ts';
import { UserError } from '../../scripts/lib/errors.ts';
import type { Exec } from '../../scripts/lib/exec.ts';
import { readCheckout } from '../../scripts/lib/git/checkout.ts';
import { holdsIn } from '../../scripts/repository/hold.ts';
import { imageInValues } from '../../scripts/repository/image-values.ts';
import { findService } from '../../scripts/repository/service-files.ts';
import { everyKind, fakeContext, temporaryFolder } from '../support/fakes.ts';
import { createPlatform, dirt, subjects } from '../support/promotion.ts';
import { commit, git, gitEnvironment } from '../support/repository.ts';
import { sed } from '../support/sed.ts';

const base = await temporaryFolder();
const file = 'helm/core-go/values.yaml';
const repository = 'ghcr.io/zainasr/core-go';
const tags = ['a1b2c3d', 'b2c3d4e', 'c3d4e5f', '1234567', '12e4567', '0x12345'];
/** Tags that YAML reads as text without quotes, as CI's sed and people write them. */
const plainTags = tags.slice(0, 3);

/** Nothing but the program itself: a property runs many of them. */
const exec: Exec = ([program, ...args], { input, nothrow, env } = {}) =>
  new Promise((resolve, reject) => {
    const child = execFile(program, args, { env: { ...gitEnvironment, ...env } }, (error, stdout, stderr) => {
      if (error && !nothrow) reject(error);
      else resolve({ stdout, stderr, exitCode: typeof error?.code === 'number' ? error.code : error ? 1 : 0 });
    });
    // Git may end before it has read all.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });

const forms: Record<string, (text: string) => string> = {
  'as it is': (text) => text,
  'CRLF without a final newline': (text) => text.replaceAll('\n', '\r\n').trimEnd(),
  'single quotes, odd spacing and a comment': (text) =>
    text.replace('tag: "1df3b1f"', "tag:   '1df3b1f'   # the build"),
  'no quotes, no comments, an anchor elsewhere': (text) =>
    `base: &base {a: C:\\new}\nextra: *base\n${text.replace(/^ *#.*\n/gm, '').replace('"1df3b1f"', '1df3b1f')}`,
};

type Action =
  | { kind: 'promote'; tag: string; force: boolean }
  | { kind: 'rollback' | 'release' | 'revert' | 'other edit' }
  | { kind: 'rollback to' | 'sed' | 'by hand'; tag: string };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('promote' as const), tag: fc.constantFrom(...tags), force: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('rollback' as const, 'release' as const, 'revert' as const, 'other edit' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('rollback to' as const, 'sed' as const, 'by hand' as const),
      tag: fc.constantFrom(...plainTags),
    }),
  },
);

/** What the file has to say after each commit. */
interface State {
  tag: string;
  held: string[];
}

interface Stage {
  folder: string;
  workspace: Workspace;
  state: ServiceState;
  /** What the file had to say after each commit so far. */
  states: readonly State[];
}

const textOf = (folder: string) => readFileSync(join(folder, file), 'utf8');
const heldIn = (text: string) => holdsIn(text).map(({ tag }) => tag);

async function play(folder: string, actions: readonly Action[]): Promise<void> {
  const { signal } = new AbortController();
  const config = {
    root: folder,
    childEnv: everyKind(gitEnvironment),
    stateDir: join(folder, '.state', 'none'),
    environment: 'dev',
  };
  const context = fakeContext({ config, exec, checkout: () => readCheckout(exec, folder), signal });
  const service = await findService(context, 'core-go');
  const states: State[] = [{ tag: '1df3b1f', held: [] }];
  for (const one of actions) {
    const workspace = await openWorkspace(context, [service], { commit: true, push: false });
    const [state] = await readServices(workspace, [service]);
    const expected = await act(one, { folder, workspace, state: state ?? assert.fail(), states });
    if (expected) states.push(expected);
    const { tag, held } = states.at(-1) ?? assert.fail();
    for (const version of ['1.1', '1.2'] as const) {
      const { image } = parse(textOf(folder), { version, merge: true }) as { image: unknown };
      assert.deepEqual(image, { repository, tag, pullPolicy: 'IfNotPresent' });
    }
    assert.deepEqual(heldIn(textOf(folder)).toSorted(), held.toSorted());
    assert.deepEqual([dirt(folder), subjects(folder).length], ['', states.length]);
  }
}

/** Does it, and hands back what has to hold then; undefined where there must be no commit. */
async function act(what: Action, stage: Stage): Promise<State | undefined> {
  const { folder, workspace, state, states } = stage;
  const { tag: was, held } = states.at(-1) ?? assert.fail();
  const text = textOf(folder);
  switch (what.kind) {
    case 'promote':
      return promote(what, stage);
    case 'rollback':
    case 'rollback to':
      return rollback('tag' in what ? what.tag : undefined, stage);
    case 'release':
      if (held.length === 0) return undefined;
      await land(workspace, planRelease([state]));
      return { tag: was, held: [] };
    case 'revert':
      if (states.length < 2) return undefined;
      git(folder, 'revert', '--no-edit', 'HEAD');
      return states.at(-2);
    case 'other edit':
      commit(folder, 'Edit', { [file]: `${text}${text.endsWith('\n') ? '' : '\n'}# another line\n` });
      return { tag: was, held };
    default: {
      if (what.tag === was) return undefined;
      const byHand = text.replace(/(\n +tag: *)(["']?)[^"'\s]*\2/, `$1$2${what.tag}$2`);
      const [subject, edited] =
        what.kind === 'sed'
          ? [`chore: promote images ${what.tag}`, sed(text, repository, what.tag)]
          : ['Set the tag', byHand];
      commit(folder, subject, { [file]: edited });
      return { tag: what.tag, held };
    }
  }
}

async function promote({ tag, force }: { tag: string; force: boolean }, { workspace, state, states }: Stage) {
  const { tag: was, held } = states.at(-1) ?? assert.fail();
  const plan = () => planPromotion([state], { tag, force });
  if (held.length > 0 && !force && tag !== was) {
    assert.throws(plan, /on hold/);
    return undefined;
  }
  await land(workspace, plan());
  const changes = tag !== was || (force && held.length > 0);
  return changes ? { tag, held: force ? [] : held } : undefined;
}

async function rollback(
  to: string | undefined,
  { folder, workspace, state, states }: Stage,
): Promise<State | undefined> {
  const { tag: was, held } = states.at(-1) ?? assert.fail();
  const earlier = states.map(({ tag }) => tag).filter((tag) => tag !== was);
  let plan: DeliveryPlan;
  try {
    plan = await planRollback(state, await readRollbackFacts(workspace, state), to);
  } catch (error) {
    assert(error instanceof UserError && /nothing to go back to|never ran/.test(error.message), String(error));
    assert(to === undefined || !earlier.includes(to));
    return undefined;
  }
  if (plan.edits.length === 0) return undefined;
  await land(workspace, plan);
  const tag = imageInValues(textOf(folder))?.tag ?? assert.fail();
  assert(to === undefined ? earlier.includes(tag) && !held.includes(tag) : tag === to);
  // To take back a promotion that was forced over a hold brings that hold back, too.
  const holds = heldIn(textOf(folder));
  assert([was, ...held].every((one) => holds.includes(one)));
  return { tag, held: holds };
}

/** How many sequences for each form, or undefined for the sample. */
const campaign = process.env.PROPERTY_RUNS === undefined ? undefined : Number(process.env.PROPERTY_RUNS);
let runs = 0;
for (const [index, [form, make]] of Object.entries(forms).entries()) {
  test(`any sequence of actions, on a file with ${form}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 4, maxLength: 9 }), async (actions) => {
        const folder = createPlatform(join(base, `run ${runs++}`));
        writeFileSync(join(folder, file), make(readFileSync(join(folder, file), 'utf8')));
        git(folder, 'commit', '--quiet', '--all', '--allow-empty', '--amend', '--message', 'Start');
        await play(folder, actions);
      }),
      {
        ...(campaign === undefined ? { numRuns: 1, seed: index } : { numRuns: campaign }),
        endOnFailure: true,
        includeErrorInReport: true,
      },
    );
  });
}
