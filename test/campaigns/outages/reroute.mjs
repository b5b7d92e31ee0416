// Loaded into a command by NODE_OPTIONS: what it asks the one host for goes to another origin. REROUTE=HOST=ORIGIN
import http from 'node:http';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';

const [host, origin] = (process.env.REROUTE ?? '').split('=');
const real = https.request;
https.request = (address, { agent, ...options }, ...rest) => {
  const url = new URL(address);
  if (url.host !== host) return real(address, { agent, ...options }, ...rest);
  return http.request(`${origin}${url.pathname}`, options, ...rest);
};
syncBuiltinESMExports();
