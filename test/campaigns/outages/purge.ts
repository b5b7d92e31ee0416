import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { demand, type Person } from '../../e2e/support.ts';

/**
 * Purges for real, on a machine on which other things lie beside those of the platform: an image of the person's, a
 * container that looks like somebody's cluster, the state of another cluster of this checkout, files in the same folders.
 * Hands back what is wrong afterwards, a sentence each.
 */
export async function purge(person: Person, cluster: string, say: (text: string) => void): Promise<string[]> {
  const { home, clone } = person;
  const docker = async (...args: string[]) => (await demand(person.run(['docker', ...args]))).stdout;
  const images = () => docker('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}');
  const standIn = (await images()).split('\n').find((name) => name.startsWith('platform-ops/stand-in-')) ?? '';
  const foreign = { image: 'somebody/app:1', container: `${cluster}-neighbour-control-plane` };
  await docker('tag', standIn, foreign.image);
  const label = 'io.x-k8s.kind.cluster=neighbour';
  await docker('create', '--name', foreign.container, '--label', label, foreign.image);
  try {
    const state = join(clone, '.state', 'neighbour');
    const others = [join(home, '.cache', 'somebody'), join(home, '.local', 'share', 'somebody'), state];
    for (const folder of others) await demand(person.run(['mkdir', '-p', folder]));
    const certutil = spawnSync('certutil', ['--help']).error === undefined;
    if (certutil) await demand(person.run(['npm', 'run', '--silent', 'trust', '--', '--install']));
    else say('certutil is not installed: the trust of browsers is not shown');
    const trusted = async () =>
      certutil ? (await person.run(['certutil', '-d', `sql:${home}/.pki/nssdb`, '-L'])).stdout : '';
    const wrong: string[] = [];
    const expect = (holds: boolean, complaint: string) => void (holds || wrong.push(complaint));
    expect(!certutil || /platform-ops local authority/.test(await trusted()), 'the browsers trusted nothing before');

    const listed = await demand(person.npm('down', '--purge', '--dry-run'));
    const ran = await person.npm('down', '--purge', '--yes');
    say(ran.text);
    expect(ran.code === 0, `it ended with exit code ${ran.code}`);
    expect(/^0 left\.$/m.test(ran.stdout), 'it did not say that nothing is left');
    for (const line of listed.stdout.split('\n').filter((one) => /^ {2}(container|image|trust) /.test(one)))
      expect(ran.stdout.includes(line), `it listed, but did not remove:${line}`);
    const found = await demand(person.run(['find', home, '-name', '*platform-ops*']));
    expect(found.stdout === '', `there is still ${found.stdout}`);
    expect(!existsSync(join(clone, '.state', cluster)), 'the state of the cluster is still there');
    expect(!/platform-ops local authority/.test(await trusted()), 'the browsers still trust the authority');
    expect(!/^platform-ops\//m.test(await images()), 'there are still stand-in images');
    expect((await images()).includes(foreign.image), "somebody's image is gone");
    const names = (await docker('ps', '--all', '--format', '{{.Names}}')).split('\n');
    expect(names.includes(foreign.container), "somebody's container is gone");
    expect(!names.includes(`${cluster}-control-plane`), 'the node is still there');
    for (const folder of others) expect(existsSync(folder), `${folder} is gone`);
    const again = await person.npm('down', '--purge', '--yes');
    expect(again.code === 0 && /Nothing to remove/.test(again.stdout), `a second time it said ${again.text}`);
    return wrong;
  } finally {
    await person.run(['docker', 'rm', '--force', foreign.container]);
    await person.run(['docker', 'rmi', foreign.image]);
  }
}
