import { BlockList, isIP } from 'node:net';
import { readFileOrPipe } from '../files.ts';
import { Secret } from '../secret.ts';

/** A proxy that a variable names. */
export interface ProxyServer {
  /** The variable, in the case in which it is set. */
  variable: string;
  /** What it may be called in messages: scheme, host and port, without user and password. */
  name: string;
  /** The whole address. */
  address: Secret;
  /** Why it can't be used, as the end of a sentence that begins with the variable. */
  fault?: string;
}

/** How this machine reaches servers elsewhere, as the variables say that other programs read, too. */
export interface Network {
  /** For addresses with http. */
  http?: ProxyServer;
  /** For addresses with https. */
  https?: ProxyServer;
  /** A proxy of ALL_PROXY that is of a kind which is not supported, and therefore passed over. */
  ignored?: ProxyServer;
  /** What NO_PROXY lists. */
  direct: string;
  /** The file of NODE_EXTRA_CA_CERTS: certificates that Node.js trusts beside its own. */
  extraCertificates?: string | undefined;
  /** The file of SSL_CERT_FILE, which other programs read. */
  certificates?: string | undefined;
}

/**
 * Reads the variables as curl does (https://curl.se/docs/manpage.html#ENVIRONMENT): the lower-case name wins, and ALL_PROXY counts
 * where there is none for the scheme. HTTP_PROXY is read in capitals as well, as Go does.
 * @param environment the variables of this process.
 * @returns what they say. A value that is no address of a proxy is kept, with its fault.
 */
export function readNetwork(environment: NodeJS.ProcessEnv): Network {
  const setName = (...names: string[]) =>
    names.flatMap((name) => [name.toLowerCase(), name]).find((name) => environment[name]?.trim());
  const proxy = (...names: string[]) => {
    const variable = setName(...names);
    return variable === undefined ? undefined : parseProxy(variable, environment[variable] ?? '');
  };
  const all = proxy('ALL_PROXY');
  const usable = all?.fault === undefined ? ['ALL_PROXY'] : [];
  const [http, https] = [proxy('HTTP_PROXY', ...usable), proxy('HTTPS_PROXY', ...usable)];
  return {
    ...(http && { http }),
    ...(https && { https }),
    ...(all?.fault !== undefined && https === undefined && { ignored: all }),
    direct: environment[setName('NO_PROXY') ?? ''] ?? '',
    extraCertificates: environment.NODE_EXTRA_CA_CERTS,
    certificates: environment.SSL_CERT_FILE,
  };
}

function parseProxy(variable: string, value: string): ProxyServer {
  const text = value.trim();
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const found = URL.canParse(full) ? new URL(full) : undefined;
  const isKnown = found !== undefined && /^https?:$/.test(found.protocol) && found.hostname !== '';
  const proxy = { variable, address: new Secret(isKnown ? found.origin : ''), name: isKnown ? found.origin : '' };
  if (found === undefined) return { ...proxy, fault: 'is not the address of a proxy (http://HOST:PORT)' };
  if (!isKnown)
    return { ...proxy, fault: `names a proxy of the kind ${found.protocol.slice(0, -1)}, not http or https` };
  return { ...proxy, address: new Secret(found.href) };
}

/** What the two files of certificates hold, as PEM; nothing of one that can't be read, as other programs take it. */
export function certificateTexts({ extraCertificates = '', certificates = '' }: Network): [extra: string, own: string] {
  const read = (file: string) => {
    try {
      return file === '' ? '' : (readFileOrPipe(file) ?? '');
    } catch {
      return '';
    }
  };
  return [read(extraCertificates), read(certificates)];
}

/** User and password of a proxy as it is told them in a header, if it has any. */
export function proxyLogin({ address }: ProxyServer): string | undefined {
  const { username, password } = new URL(address.reveal());
  if (username === '' && password === '') return undefined;
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`;
}

/** A percent sign that encodes nothing stands for itself. */
function decoded(text: string): string {
  return text.replaceAll(/(%[0-9a-f]{2})+/gi, (coded) => Buffer.from(coded.replaceAll('%', ''), 'hex').toString());
}

/**
 * The proxy for an address.
 * @param url with http or https.
 * @returns undefined where it is reached directly: this machine always is, and what NO_PROXY lists.
 */
export function proxyFor(network: Network, url: string): ProxyServer | undefined {
  const { protocol, hostname, port } = new URL(url);
  const proxy = protocol === 'https:' ? network.https : network.http;
  if (proxy === undefined) return undefined;
  const host = hostOf(hostname);
  const [isListed, wanted] = [matcherOf(host), port || (protocol === 'https:' ? '443' : '80')];
  return isThisMachine(hostname) || entriesOf(network.direct).some((entry) => isListed(entry, wanted))
    ? undefined
    : proxy;
}

/** What NO_PROXY lists, one by one. */
export function entriesOf(list: string): string[] {
  return list.split(/[\s,]+/).filter((entry) => entry !== '');
}

/** Whether a host is this machine: localhost, what ends in .localhost (RFC 6761), and the loopback addresses. */
export function isThisMachine(hostname: string): boolean {
  const host = hostOf(hostname);
  return /(^|\.)localhost$/.test(host) || isWithin(host, '127.0.0.0/8') || isWithin(host, '::1');
}

function hostOf(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

/**
 * Whether entries of NO_PROXY mean a host: `*`, a domain with all below it (`example.com`, `.example.com`, `*.example.com`), an
 * address or a network (`10.0.0.0/8`), each with or without a port. That is what curl and Go's httpproxy read together.
 */
function matcherOf(host: string): (entry: string, port: string) => boolean {
  return (text, port) => {
    const entry = text.toLowerCase();
    if (entry === '*') return true;
    const [, inBrackets, plain, wanted] =
      /^(?:\[(.*)\]|(.*?))(?::(\d+))?$/.exec(isIP(entry) ? `[${entry}]` : entry) ?? [];
    if (wanted !== undefined && wanted !== port) return false;
    const name = inBrackets ?? plain ?? '';
    if (isIP(host)) return isWithin(host, name);
    const domain = name.replace(/^\*?\./, '');
    return domain !== '' && (host === domain || host.endsWith(`.${domain}`));
  };
}

/** Whether a host is this address, or one of this network in CIDR notation. */
function isWithin(host: string, network: string): boolean {
  const [address = '', bits] = network.split('/');
  const [family, most] = isIP(address) === 6 ? (['ipv6', 128] as const) : (['ipv4', 32] as const);
  if (!isIP(host) || !isIP(address) || (bits !== undefined && !/^\d+$/.test(bits))) return false;
  const list = new BlockList();
  list.addSubnet(address, Math.min(Number(bits ?? most), most), family);
  return list.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4');
}
