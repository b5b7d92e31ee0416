// Loaded into a command by NODE_OPTIONS: what it fetches from the one host goes to another origin. REROUTE=HOST=ORIGIN
const [host, origin] = (process.env.REROUTE ?? '').split('=');
const real = globalThis.fetch;
globalThis.fetch = (address, options) => {
  const url = new URL(address);
  return real(url.host === host ? `${origin}${url.pathname}` : address, options);
};
