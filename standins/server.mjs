// A stand-in for one of the platform's services, for machines without access to the real images. It has the real
// one's port, paths, variables and metrics, and nothing of its work. SERVICE says which one it plays.
import { createServer, STATUS_CODES } from 'node:http';
import { CONTENT_TYPE, counter, histogram, processMetrics, render } from './metrics.mjs';

const UPSTREAM_TIMEOUT_MS = 2000;

const say = (text) => process.stdout.write(`${text}\n`);
const variable = (name, fallback) => process.env[name] || fallback;

/** Wrong settings end the program with one sentence: Kubernetes shows it as the pod's last words. */
function fail(text) {
  process.stderr.write(`stand-in: ${text}\n`);
  process.exit(1);
}

function wholeNumber(name, fallback, max) {
  const value = Number(variable(name, fallback));
  if (!Number.isInteger(value) || value < 0 || value > max) fail(`${name} is not a number from 0 to ${max}`);
  return value;
}

const version = variable('APP_VERSION', 'unknown');
const env = variable('ENV', 'unknown');
const about = { version, standIn: true };

const requests = counter('http_requests_total', 'Total number of HTTP requests');
const duration = histogram('http_request_duration_seconds', 'HTTP request latency in seconds');
const jobs = counter('worker_jobs_processed_total', 'Total background jobs processed', { hasLabels: false });

const json = (status, body) => ({ status, type: 'application/json', text: `${JSON.stringify(body)}\n` });
const exposed = (metrics) => () => ({ status: 200, type: CONTENT_TYPE, text: render(metrics) });
// The tag "broken" starts and never gets healthy: for seeing what a bad release looks like.
const health = () => (version === 'broken' ? json(500, { status: 'broken' }) : json(200, { status: 'ok' }));
const httpMetrics = exposed([requests, duration, processMetrics]);

async function gateway(coreGo) {
  try {
    // A connection of its own: one that is kept would lead to a pod that drains until that dies, and lose what is under way.
    const headers = { connection: 'close' };
    const answer = await fetch(`${coreGo}/info`, { headers, signal: AbortSignal.timeout(UPSTREAM_TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`core-go answered ${answer.status}`);
    return json(200, { gateway: 'api-node', ...about, upstream: await answer.json() });
  } catch (error) {
    // fetch only says "fetch failed"; why is in the cause.
    return json(502, { error: 'Bad Gateway', message: error.cause?.message || error.cause?.code || error.message });
  }
}

/** Counts as core-go does: `status` is the reason phrase (OK), and only the count has it. */
function measurePhrases({ labels, path, status, seconds }) {
  requests.inc({ ...labels, path, status: STATUS_CODES[status] });
  duration.observe({ ...labels, path }, seconds);
}

/** Counts as api-node does: `status` is the number, and `path` what is left behind the router, so "/" for two paths alike. */
function measureNumbers({ labels, path, status, seconds }) {
  const all = { ...labels, path: path === '/health' || path === '/info' ? '/' : path, status };
  requests.inc(all);
  duration.observe(all, seconds);
}

/** A service in Go that answers HTTP and asks nobody else, with the port that it has where PORT names none. */
const httpService = (service, usualPort) => () => ({
  endsOnSigterm: true,
  port: wholeNumber('PORT', usualPort, 65535),
  measure: measurePhrases,
  paths: {
    '/health': health,
    '/info': () => json(200, { service, env, ...about }),
    '/metrics': httpMetrics,
  },
});

/** Each service: its port, what it answers by path, and for the worker what it answers to everything. */
const services = {
  'api-node': () => {
    const coreGo = variable('CORE_GO_BASE_URL') ?? fail('CORE_GO_BASE_URL is not set');
    const info = () => gateway(coreGo.replace(/\/+$/, ''));
    return {
      port: wholeNumber('PORT', 3000, 65535),
      measure: measureNumbers,
      paths: { '/health': health, '/info': info, '/metrics': httpMetrics },
    };
  },
  'core-go': httpService('core-go', 8080),
  'worker-python': () => {
    const seconds = wholeNumber('JOB_INTERVAL_SECONDS', 10, 86_400);
    jobs.inc();
    setInterval(() => jobs.inc(), Math.max(seconds, 1) * 1000).unref();
    return { port: wholeNumber('METRICS_PORT', 9000, 65535), paths: {}, always: exposed([jobs, processMetrics]) };
  },
};

const name = variable('SERVICE', '');
if (name === '') fail('SERVICE is not set');

/** What another program seems to be, by the variables that it is given. */
function unknown() {
  if (variable('CORE_GO_BASE_URL') !== undefined) return services['api-node'];
  return variable('METRICS_PORT') === undefined ? httpService(name, 8080) : services['worker-python'];
}

const play = Object.hasOwn(services, name) ? services[name] : unknown();
const { port, paths, always, measure, endsOnSigterm = false } = play();

// A label's values must be few: whoever asks for a thousand made-up paths would otherwise make a thousand series.
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

async function answer(method, path) {
  const handler = always ?? (Object.hasOwn(paths, path) ? paths[path] : undefined);
  if (handler === undefined) return json(404, { error: 'Not Found' });
  if (method !== 'GET' && method !== 'HEAD') return json(405, { error: 'Method Not Allowed' });
  return handler();
}

const server = createServer(async (request, response) => {
  const start = performance.now();
  const path = (request.url ?? '/').split('?')[0];
  request.resume();
  const { status, type, text } = await answer(request.method, path);
  const method = METHODS.has(request.method) ? request.method : 'other';
  const seconds = (performance.now() - start) / 1000;
  measure?.({ labels: { method }, path: Object.hasOwn(paths, path) ? path : 'other', status, seconds });
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(method === 'HEAD' ? undefined : text);
});

server.on('error', (error) => fail(error.message));
server.listen(port, () => {
  say(`${name} ${version} on :${server.address().port} (a stand-in: the real image was not pulled)`);
});

// On SIGTERM as the real ones: a Go program ends at once, whatever it is at. One of Node or Python that handles no signals
// ignores it as process 1 of a container, until it is killed. So does this one where it has no handler.
if (endsOnSigterm) process.once('SIGTERM', () => process.exit(0));
