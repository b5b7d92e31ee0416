import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { openProxy, type PortProxy } from '../../scripts/access/port-forward/proxy.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();
const proxies: PortProxy[] = [];
afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A server that answers each line with its own name and what it was told, and the port that it listens on. */
async function echo(name: string, { onConnect = () => {} } = {}): Promise<{ port: number; server: Server }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    onConnect();
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => socket.write(`${name}: ${data}`));
    socket.on('end', () => socket.end('bye\n'));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

async function proxy(): Promise<PortProxy> {
  const made = await openProxy(0);
  proxies.push(made);
  return made;
}

/** Says something, and hands back all that comes until the other side ends. */
function say(port: number, text: string): { answer: Promise<string>; socket: Socket } {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.add(socket);
  const answer = new Promise<string>((resolve, reject) => {
    let all = '';
    socket.setEncoding('utf8').on('data', (data) => {
      all += data;
    });
    socket.on('end', () => resolve(all));
    socket.on('error', reject);
  });
  socket.end(text);
  return { answer, socket };
}

test('what is said at the proxy is answered from behind it, also after the side that asks has closed its half', async () => {
  const { port } = await echo('first');
  const open = await proxy();
  open.lead(port);
  assert.equal(await say(open.port, 'hello\n').answer, 'first: hello\nbye\n');
});

test('who comes while nothing is behind the proxy waits, and is answered', async () => {
  const { port } = await echo('late');
  const open = await proxy();
  const { answer } = say(open.port, 'hello\n');
  setImmediate(() => open.lead(port));
  assert.equal(await answer, 'late: hello\nbye\n');
});

test('who is led to what has just ended is led to what comes next, and loses nothing', async () => {
  const gone = await echo('gone');
  await new Promise((resolve) => gone.server.close(resolve));
  const open = await proxy();
  open.lead(gone.port);
  const { answer } = say(open.port, 'hello\n');
  const { port } = await echo('next');
  setTimeout(() => open.lead(port), 50);
  assert.equal(await answer, 'next: hello\nbye\n');
});

test('a connection stays where it is when new ones lead elsewhere, and is waited for', async () => {
  const first = await echo('first');
  const second = await echo('second');
  const open = await proxy();
  open.lead(first.port);
  const socket = connect({ port: open.port, host: '127.0.0.1' });
  sockets.add(socket);
  const heard = (text: string) =>
    new Promise<void>((resolve) => socket.once('data', (data) => resolve(assert.equal(String(data), text))));
  socket.write('one\n');
  await heard('first: one\n');
  open.lead(second.port);
  assert.equal(await say(open.port, 'x\n').answer, 'second: x\nbye\n');
  socket.write('two\n');
  await heard('first: two\n');
  let idle = false;
  const waiting = open.idle(first.port, 60_000).then(() => {
    idle = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(idle, false);
  socket.destroy();
  await waiting;
});

test('what nobody leads to is idle at once, and nobody is waited for longer than that', async () => {
  const open = await proxy();
  await open.idle(1, 60_000);
  const { port } = await echo('slow');
  open.lead(port);
  const socket = connect({ port: open.port, host: '127.0.0.1' });
  sockets.add(socket);
  socket.write('x\n');
  await new Promise((resolve) => socket.once('data', resolve));
  await open.idle(port, 20);
});

test('when the other side is cut off, so is the one at the proxy', async () => {
  const { port } = await echo('cut', { onConnect: () => setTimeout(() => [...sockets].at(-1)?.destroy(), 20) });
  const open = await proxy();
  open.lead(port);
  const socket = connect({ port: open.port, host: '127.0.0.1' });
  await new Promise((resolve) => socket.once('close', resolve));
});

test('closing ends connections and those that wait, and gives the port back', async () => {
  const { port } = await echo('behind');
  const open = await openProxy(0);
  const waiting = connect({ port: open.port, host: '127.0.0.1' });
  const ended = new Promise((resolve) => waiting.once('close', resolve));
  waiting.on('error', () => {});
  await new Promise((resolve) => waiting.once('connect', resolve));
  await open.close();
  await ended;
  const again = await openProxy(open.port);
  again.lead(port);
  assert.equal(await say(again.port, 'x\n').answer, 'behind: x\nbye\n');
  await again.close();
});

test('a port that somebody has is refused', async () => {
  const { port } = await echo('taken');
  await assert.rejects(openProxy(port), { code: 'EADDRINUSE' });
});
