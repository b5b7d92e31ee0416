import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

interface ProxyOptions {
  /** Where it takes everybody, whatever they ask for. Default: where they ask for. */
  leadsTo?: number;
  /** User and password, as `user:password`, without which it refuses. */
  login?: string;
  /** The address to listen on. Default: 127.0.0.1. */
  listen?: string;
}

/** A proxy on this machine. `asked` lists, in order, the servers that it was asked to connect to, and whole addresses of plain http. */
export async function startProxy({ leadsTo, login, listen = '127.0.0.1' }: ProxyOptions = {}) {
  const asked: string[] = [];
  const right = login && `Basic ${Buffer.from(login).toString('base64')}`;
  const server: Server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end(`by proxy for ${request.headers.host}`);
  });
  server.on('connect', (request, socket) => {
    socket.on('error', () => {});
    if (right !== undefined && request.headers['proxy-authorization'] !== right) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n');
      return;
    }
    asked.push(request.url ?? '');
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = connect(leadsTo ?? Number(port || 80), leadsTo === undefined ? hostname : '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, listen, resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, asked, close };
}
