import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Agent, createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { ApiError, connect, isPassing, Unreachable, WrongClock } from '../../scripts/kubernetes/api/api.ts';
import { selfSigned } from '../../scripts/lib/certificates/certificate.ts';
import { Interrupted, UserError } from '../../scripts/lib/errors.ts';
import { getLines, httpGet } from '../../scripts/lib/http/client.ts';
import type { RetryOptions } from '../../scripts/lib/retry.ts';
import { base64 } from '../../scripts/lib/secret.ts';

/** What the server does with the next requests, and what they asked for. */
let answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end();
let asked: { path: string | undefined; accept: string | undefined; request: IncomingMessage }[] = [];
const server = createServer((request, response) => {
  asked.push({ path: request.url, accept: request.headers.accept, request });
  answer(request, response);
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
after(() => {
  server.closeAllConnections();
  server.close();
});
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function respond(status: number, body: unknown) {
  asked = [];
  answer = (_, response) => response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
}

test('an answer is its status and its body, whatever the status, and redirects are not followed', async () => {
  for (const status of [200, 302, 404, 503]) {
    respond(status, 'grün €');
    const { sentAt, headers, ...rest } = await httpGet(url);
    assert.deepEqual(rest, { status, body: 'grün €' });
    assert.equal(headers.connection, 'keep-alive');
    assert(sentAt !== undefined && Math.abs(sentAt - Date.now()) < 60_000);
  }
});

test('a letter that arrives in two pieces stays whole', async () => {
  const bytes = Buffer.from('€');
  answer = (_, response) => {
    response.write(bytes.subarray(0, 1));
    setImmediate(() => response.end(bytes.subarray(1)));
  };
  assert.equal((await httpGet(url)).body, '€');
});

test('a Host header of our own is sent', async () => {
  answer = (request, response) => response.end(request.headers.host);
  assert.equal((await httpGet(url, { headers: { host: 'api.localhost:8080' } })).body, 'api.localhost:8080');
});

test('no answer in time, or only the start of one, is said', async () => {
  for (const silent of [() => {}, (_: unknown, response: ServerResponse) => response.write('st')]) {
    answer = silent;
    await assert.rejects(httpGet(url, { timeout: 50 }), /^Error: no answer within 0\.05 s$/);
  }
});

test('a connection that is cut or refused is an error, not half an answer', async () => {
  answer = (_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half');
    setImmediate(() => response.destroy());
  };
  await assert.rejects(httpGet(url), /aborted|hang up|ECONNRESET/);
  await assert.rejects(httpGet('http://127.0.0.1:1/'), /ECONNREFUSED/);
});

test('an interruption ends the request, also in the middle of the answer', async () => {
  for (const start of ['', 'start']) {
    const controller = new AbortController();
    answer = (_, response) => {
      if (start) response.write(start);
      setImmediate(() => controller.abort());
    };
    await assert.rejects(httpGet(url, { signal: controller.signal }), Interrupted);
  }
  await assert.rejects(httpGet(url, { signal: AbortSignal.abort() }), Interrupted);
});

/** Reads lines of the server above. */
const lines = (onLine: (line: string) => void | Promise<void>, silence = 0, signal = new AbortController().signal) =>
  getLines(url, { agent: undefined as unknown as Agent, signal, silence }, onLine);

test('lines are handed over as they come, a refusal is returned whole, and silence or a bug of the reader is thrown', async () => {
  respond(200, 'one\ntwo €\nrest');
  const heard: string[] = [];
  assert.deepEqual(await lines((line) => void heard.push(line)), { status: 200, body: 'rest' });
  assert.deepEqual(heard, ['one', 'two €']);
  await assert.rejects(
    lines(() => Promise.reject(new TypeError('a bug'))),
    /a bug/,
  );
  respond(403, 'no\nlog');
  assert.deepEqual(await lines(() => assert.fail('no line')), { status: 403, body: 'no\nlog' });
  for (const start of [undefined, 'one\n']) {
    answer = (_, response) => void (start && response.write(start));
    await assert.rejects(
      lines(() => {}, 50),
      /no word for 0\.05 s/,
    );
  }
});

test('no more is read while a line is worked on, so that what nobody takes piles up nowhere', async () => {
  const chunk = `${'x'.repeat(99_999)}\n`;
  let sent = 0;
  answer = (_, response) => {
    const send = () => {
      sent += 1;
      if (sent > 1000) response.end();
      else if (response.write(chunk)) setImmediate(send);
      else response.once('drain', send);
    };
    send();
  };
  const controller = new AbortController();
  let told = 0;
  const reading = lines(
    async () => {
      told += 1;
      // Of 100 MB, the buffers of the system and both sides take a few.
      if (told === 1) await new Promise((resolve) => setTimeout(resolve, 300));
      if (told === 1) controller.abort();
    },
    0,
    controller.signal,
  );
  await assert.rejects(reading, Interrupted);
  assert(told < 5 && sent < 500, `${told} told, ${sent} sent`);
});

/** The API server's client, pointed at the server above: that has no TLS, so the certificates are not used. */
function api(signal: AbortSignal = new AbortController().signal, address = url, retry?: RetryOptions) {
  const cluster = { server: address, 'certificate-authority-data': '' };
  const user = { 'client-certificate-data': '', 'client-key-data': '' };
  return connect(JSON.stringify({ clusters: [{ cluster }], users: [{ user }] }), signal, retry);
}
const pod = { metadata: { name: 'p' } };

test('objects of a list get the kind that only the list as a whole has', async () => {
  respond(200, { kind: 'PodList', items: [pod] });
  assert.deepEqual(await api().list('v1', 'Pod', 'default'), [{ ...pod, apiVersion: 'v1', kind: 'Pod' }]);
  assert.deepEqual(
    asked.map(({ path }) => path),
    ['/api/v1/namespaces/default/pods'],
  );
});

test('a list of nothing may come as null', async () => {
  respond(200, { kind: 'PodList', items: null });
  assert.deepEqual(await api().list('v1', 'Pod'), []);
});

test('metadata alone is asked for as such', async () => {
  respond(200, { items: [pod] });
  await api().listMetadata('apiextensions.k8s.io/v1', 'CustomResourceDefinition');
  assert.equal(asked[0]?.path, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
  assert.match(asked[0]?.accept ?? '', /as=PartialObjectMetadataList;g=meta\.k8s\.io;v=v1/);
});

test('of a kind that the cluster does not know there are no objects; of a single path, that is an error', async () => {
  respond(404, '404 page not found');
  assert.deepEqual(await api().list('argoproj.io/v1alpha1', 'Application'), []);
  await assert.rejects(api().json('/api/v1/x'), (error) => error instanceof ApiError && error.status === 404);
});

test('any other refusal is an ApiError with path, status and the start of the body', async () => {
  respond(403, 'forbidden '.repeat(1000));
  await assert.rejects(api().list('v1', 'Secret'), (error) => {
    assert(error instanceof ApiError && error.status === 403 && error instanceof UserError);
    assert.match(error.hint ?? '', /can-i --list/);
    assert.match(error.message, /403 .*\/api\/v1\/secrets: forbidden/);
    return error.message.length < 500;
  });
});

test('an apply on the server’s side is asked for as a dry run, whatever becomes of it', async () => {
  const bodies: string[] = [];
  asked = [];
  answer = (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      bodies.push(body);
      response.end(JSON.stringify({ ...pod, predicted: true }));
    });
  };
  const predicted = await api().dryRunApply('/api/v1/namespaces/default/pods/p', 'kind: Pod # grün', 'some-one');
  assert.deepEqual(predicted, { ...pod, predicted: true });
  assert.deepEqual(bodies, ['kind: Pod # grün']);
  const [{ request } = assert.fail()] = asked;
  assert.equal(request.method, 'PATCH');
  assert.equal(request.headers['content-type'], 'application/apply-patch+yaml');
  const { pathname, searchParams } = new URL(request.url ?? '', url);
  assert.equal(pathname, '/api/v1/namespaces/default/pods/p');
  assert.deepEqual(Object.fromEntries(searchParams), { dryRun: 'All', fieldManager: 'some-one', force: 'true' });
});

test('a refusal says why in the API server’s words, also where something else answers', async () => {
  for (const [body, reason] of [
    [{ kind: 'Status', message: 'spec.ports: Required value', code: 422 }, 'spec.ports: Required value'],
    ['upstream is down', 'upstream is down'],
  ]) {
    respond(422, body);
    const refused = (error: unknown) => error instanceof ApiError && error.status === 422 && error.reason === reason;
    await assert.rejects(api().dryRunApply('/api/v1/x', '{}', 'some-one'), refused);
  }
});

test('the sentence of a refusal is told, not the object that it comes in', async () => {
  respond(403, { kind: 'Status', message: 'pods is forbidden: User "x" cannot list' });
  await assert.rejects(api().list('v1', 'Pod'), {
    id: 'api-server-refuses',
    message: /403 .*\/api\/v1\/pods: pods is forb/,
  });
});

test('an API server that restarts is asked again, also while it forbids everything, and each reason is told once', async () => {
  const statuses = [403, 403, 503, 429, 429, 200];
  // Before the roles are read, this is forbidden as well.
  const ready = [403, 500];
  answer = (request, response) => {
    const status = request.url === '/readyz' ? ready.shift() : statuses.shift();
    response.writeHead(status ?? 200).end('{"items":[]}');
  };
  const told: string[] = [];
  const retry = {
    patience: 5000,
    signal: new AbortController().signal,
    onRetry: (why: string) => void told.push(why),
    every: 1,
  };
  assert.deepEqual(await api(undefined, url, retry).list('v1', 'Pod'), []);
  assert.deepEqual(
    told.map((why) => why.match(/answered (\d+)/)?.[1]),
    ['403', '503', '429'],
  );
  told.length = 0;
  await assert.rejects(api(undefined, 'http://127.0.0.1:1', { ...retry, patience: 20 }).time(), Unreachable);
  assert.deepEqual(told, ['the API server at http://127.0.0.1:1 does not answer']);
});

test('a 403 of an API server that is ready is told at once, in its words; one that is older than that is not', async () => {
  const told: string[] = [];
  const retry = {
    patience: 60_000,
    signal: new AbortController().signal,
    onRetry: (why: string) => void told.push(why),
  };
  const message = 'pods is forbidden: User "ann" cannot list resource "pods" in API group "" at the cluster scope';
  const asked: string[] = [];
  const refusals = (count: number) => {
    let left = count;
    answer = (request, response) => {
      asked.push(`${request.url}`);
      const refuses = request.url !== '/readyz' && left-- > 0;
      response.writeHead(refuses ? 403 : 200).end(refuses ? JSON.stringify({ message }) : '{"items":[]}');
    };
  };
  refusals(2);
  const refused = (error: unknown) => error instanceof ApiError && error.message.includes(message) && !isPassing(error);
  await assert.rejects(api(undefined, url, retry).list('v1', 'Pod'), refused);
  assert.deepEqual([asked, told], [['/api/v1/pods', '/readyz', '/api/v1/pods'], []]);
  refusals(1);
  assert.deepEqual(await api(undefined, url, retry).list('v1', 'Pod'), []);
});

test('an API server that is not there is unreachable, and an interruption is no such thing', async () => {
  await assert.rejects(api(undefined, 'http://127.0.0.1:1').text('/readyz'), (error) => {
    assert(error instanceof Unreachable && error instanceof UserError);
    assert.equal(error.id, 'api-server-silent');
    return /http:\/\/127\.0\.0\.1:1 .*ECONNREFUSED/.test(error.message);
  });
  await assert.rejects(api(AbortSignal.abort()).text('/readyz'), Interrupted);
});

test('a bug of what reads lines of the API server is thrown, and is no failure of that', async () => {
  respond(200, 'one\n');
  const bug = () => Promise.reject(new TypeError('a bug'));
  await assert.rejects(api().lines('/x', 0, bug), /^TypeError: a bug$/);
});

test('the time is that of the API server’s clock', async () => {
  answer = (_, response) => response.setHeader('date', 'Sun, 01 Mar 2026 12:00:00 GMT').end('{}');
  assert.equal(await api().time(), Date.parse('2026-03-01T12:00:00Z'));
});

for (const [days, says] of [
  [-1, /has ended, by the clock of this machine, which says \d{4}-/],
  [1, /is not valid yet, by the clock/],
] as const) {
  test(`a certificate of ${days > 0 ? 'tomorrow' : 'yesterday'} is told as a wrong clock, with what to do`, async (t) => {
    const now = Date.now();
    // From two days before to one day before this moment, or from tomorrow on.
    const mocked = t.mock.method(Date, 'now', () => now + (days < 0 ? -2 : 1) * 24 * 3_600_000);
    const { certificate, key } = await selfSigned(['localhost'], 1);
    mocked.mock.restore();
    const secure = createSecureServer({ cert: certificate, key }, (_, response) => response.end('ok'));
    await new Promise<void>((resolve) => secure.listen(0, 'localhost', resolve));
    try {
      const { port } = secure.address() as AddressInfo;
      const cluster = { server: `https://localhost:${port}`, 'certificate-authority-data': base64(certificate) };
      const user = { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) };
      const kubeconfig = JSON.stringify({ clusters: [{ cluster }], users: [{ user }] });
      await assert.rejects(connect(kubeconfig, new AbortController().signal).text('/readyz'), (error) => {
        assert(error instanceof WrongClock && error.id === 'clock');
        return says.test(error.message);
      });
    } finally {
      secure.close();
    }
  });
}

test('a kubeconfig without a cluster or a user is refused', () => {
  const { signal } = new AbortController();
  for (const text of ['{ clusters: [], users: [] }', '{ clusters: [{ cluster: { server: x } }], users: [] }'])
    assert.throws(() => connect(text, signal), /names no cluster or no user/);
});
