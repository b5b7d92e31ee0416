import { setTimeout as sleep } from 'node:timers/promises';
import { lookOnce } from './canary.ts';

// A process of its own, which looks while the test waits. It is told what to look for, and then to end.
const seen = new Set<string>();
let looked = 0;
let task: { forms: string[]; variable: string } | undefined;
let ended = false;
process.on('message', (message: 'end' | { forms: string[]; variable: string }) => {
  if (message === 'end') ended = true;
  else task = message;
});
process.on('disconnect', () => process.exit());
while (!ended) {
  if (task) looked += lookOnce(task.forms, task.variable, seen);
  await sleep(10);
}
process.send?.({ looked, seen: [...seen] }, () => process.exit());
