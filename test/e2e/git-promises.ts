import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { isCampaign } from './campaign.ts';
import { eventually, viewOf } from './cluster-view.ts';
import { demand, type Person } from './support.ts';

// Not written here: this file is in the commits, which the node does see.
const canary = `canary-${randomUUID()}`;

/** As the person: a secret wherever Git keeps one beside the commits, in a Git folder that only its owner can read. */
const planting = `
set -e
git config remote.origin.token "$1"
git worktree add --quiet --detach ../beside
cd .git
mkdir -p hooks
for file in hooks/post-merge COMMIT_EDITMSG FETCH_HEAD description git-credentials worktrees/beside/COMMIT_EDITMSG; do
  echo "$1" > "$file"
done
head=$(git rev-parse HEAD)
printf '%s %s A <a@b> 1700000000 +0000\\t%s\\n' "$head" "$head" "$1" >> logs/HEAD
chmod -R go= .
`;

/** Does that before `up`. */
export async function plantInGitFolder(person: Person): Promise<void> {
  await demand(person.run(['bash', '-c', planting, 'bash', canary]));
}

/** A shallow clone, in which nothing was promoted yet: it gets the rest of its history in the end. */
export function shallowPromises(used: () => Person): void {
  it('comes up from a shallow clone, says where its history ends, and gets the rest', async () => {
    const person = used();
    const { stdout, stderr } = await demand(person.npm('history', 'core-go'));
    assert.match(`${stdout}${stderr}`, /first image[\s\S]*This clone is shallow.*git fetch --unshallow/);
    const rollback = await person.npm('rollback', 'core-go', '--dry-run');
    assert.match(rollback.stderr, /nothing to go back to[\s\S]*git fetch --unshallow/);
    await demand(person.run(['git', 'fetch', '--quiet', '--unshallow']));
  });
}

/** What the cluster sees of the Git folder: tests for the one that `used` returns, on the branch that they end on. */
export function gitPromises(used: () => { person: Person; cluster: string }): void {
  it('shows the node nothing of the Git folder but what a fetch needs', async () => {
    const { person, cluster } = used();
    const grep = ['grep', '-rlF', '--exclude-dir=proc', '--exclude-dir=sys'] as const;
    const inNode = (text: string, folder: string) =>
      person.run(['docker', 'exec', `${cluster}-control-plane`, ...grep, text, folder]);
    assert.equal((await inNode('ref: refs/heads/', '/platform-ops')).stdout, '/platform-ops/git/HEAD\n');
    assert.equal((await inNode(canary, '/')).stdout, '');
    // Git replaces the file, and a mount over it would be gone.
    await demand(person.run(['git', 'config', 'remote.origin.other', canary]));
    assert.equal((await inNode(canary, '/platform-ops')).stdout, '');
  });

  it('runs commits after a switch, pack-refs, gc, and on a branch that was deleted', async (t) => {
    const { person, cluster } = used();
    const git = (...args: string[]) => demand(person.run(['git', ...args]));
    const file = join(person.clone, 'helm/core-go/values-dev.yaml');
    const first = (await git('branch', '--show-current')).stdout.trim();
    const deployed = async () => {
      const query = [
        'get',
        'application',
        'core-go',
        '--namespace=argocd',
        '--output=jsonpath={.status.sync.revision}',
      ];
      return (await demand(viewOf(person, cluster).kubectl(...query))).stdout;
    };
    const each: string[][][] = [
      [['switch', '--create', 'topic']],
      [['switch', first]],
      [['pack-refs', '--all']],
      [['gc', '--prune=now']],
      [['repack', '-ad']],
      [['fetch', '--deepen=3']],
      [
        ['branch', '-D', 'topic'],
        ['pack-refs', '--all'],
        ['switch', '--create', 'topic'],
      ],
      [
        ['switch', first],
        ['branch', '-D', 'topic'],
      ],
    ];
    const [created = [], , , , , , recreated = []] = each;
    const steps = isCampaign ? each : [created, each.slice(1, 6).flat(), recreated];
    for (const [number, commands] of steps.entries()) {
      for (const [command = '', ...args] of commands)
        await git(command, ...(command === 'pack-refs' ? [] : ['--quiet']), ...args);
      writeFileSync(file, readFileSync(file, 'utf8').replace(/ENV: \S+/, `ENV: step-${number}`));
      await git('commit', '--quiet', '--all', '--message', `Step ${number}`);
      const head = (await git('rev-parse', 'HEAD')).stdout.trim();
      const started = performance.now();
      await eventually(`the commit after git ${commands.join(', git ')}`, 60, async () => (await deployed()) === head);
      t.diagnostic(`after git ${commands.at(-1)?.join(' ')}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
    // The next test begins on that branch, with all well.
    if (!isCampaign) await git('switch', '--quiet', first);
    await demand(person.npm('up'));
  });
}
