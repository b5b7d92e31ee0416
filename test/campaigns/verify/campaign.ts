import { demand, newPerson, type Person } from '../../e2e/support.ts';
import { type Fault, faults } from './faults.ts';
import { plantingOn } from './planting.ts';
import { type Verified, verifyAs } from './verifying.ts';

/**
 * Plants faults on one real cluster, one after the other, and holds what `npm run verify` calls the first cause against
 * what it has to say. ONLY picks faults by parts of their names; CLUSTER_NAME, HTTP_PORT and HTTPS_PORT say where. Takes
 * about a minute for each fault.
 */
const cluster = process.env.CLUSTER_NAME ?? 'verify';
const ports = { http: Number(process.env.HTTP_PORT ?? 29080), https: Number(process.env.HTTPS_PORT ?? 29443) };
const only = (process.env.ONLY ?? '').split(',');
const say = (text: string) => void process.stdout.write(`${text}\n`);
let failures = 0;

function told({ firstCause, checks, seconds }: Verified): string {
  const failed = checks.filter(({ ok }) => !ok).map(({ check, findings }) => `${check}: ${findings[0]?.message}`);
  return [`  ${seconds.toFixed(1)} s, ${firstCause?.message ?? 'all is as promised'}`, ...failed].join('\n    ');
}

function judge(what: string, right: boolean, verified: Verified): void {
  if (!right) failures += 1;
  say(`${right ? '✔' : '✖'} ${what}\n${told(verified)}`);
  if (right && verified.firstCause) say(`    → ${verified.firstCause.remedy}`);
}

async function green(person: Person, what: string): Promise<void> {
  const verified = await verifyAs(person, '--timeout', '180');
  judge(what, verified.ok && verified.code === 0, verified);
}

async function one(person: Person, fault: Fault): Promise<void> {
  const planted = plantingOn(person, cluster);
  await fault.plant(planted);
  const verified = await verifyAs(person, '--timeout', '45');
  judge(fault.what, verified.code === 1 && fault.says.test(verified.firstCause?.message ?? ''), verified);
  await fault.restore(planted);
  // Grafana reads its files and its password at its start only, and these are put back without a word to it.
  await demand(person.npm('up'));
  await planted.restartGrafana();
}

const person = await newPerson({ cluster, ports });
try {
  await demand(person.npm('up'));
  await green(person, 'nothing planted');
  for (const fault of faults.filter(({ what }) => only.some((part) => what.includes(part)))) {
    await one(person, fault).catch((error: Error) => {
      failures += 1;
      say(`✖ ${fault.what}: ${error.message}`);
    });
    await green(person, `${fault.what}: taken away`);
  }
} finally {
  await person.npm('down');
  await person.remove();
}
say(`\n${failures === 0 ? 'Every fault was called by its name.' : `${failures} went wrong.`}`);
process.exit(failures === 0 ? 0 : 1);
