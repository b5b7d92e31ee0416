// Preloaded into a process, it writes the addresses of all modules that were loaded there to a file, when the process
// ends: V8's debugger knows them, however they were loaded.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

process.on('exit', () => {
  const urls = new Set();
  const session = new Session();
  session.connect();
  session.on('Debugger.scriptParsed', ({ params }) => urls.add(params.url));
  session.post('Debugger.enable');
  writeFileSync(process.env.LOADED_MODULES, [...urls].join('\n'));
});
