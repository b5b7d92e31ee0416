// Loaded before everything else. tsx starts a compiler of its own, which inherits process.env as it is then: tokens are
// taken out before that, and kept where config.ts alone looks for them.
const taken = {};
for (const name of ['GITHUB_TOKEN', 'GH_TOKEN']) {
  if (process.env[name] !== undefined) taken[name] = process.env[name];
  delete process.env[name];
}
Object.defineProperty(globalThis, Symbol.for('platform-ops.tokens'), { value: taken });
