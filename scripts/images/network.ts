import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterContext } from '../kubernetes/context.ts';
import { readFileOrPipe, writeWhole } from '../lib/files.ts';
import { certificateTexts, isThisMachine, type Network, type ProxyServer } from '../lib/http/proxy.ts';

/**
 * Where the node's systemd looks for settings of containerd beside the image's own (systemd.unit(5)). Nothing else is there: images
 * that are kept unpacked bring theirs at /usr/local/lib, and Docker mounts one folder at a place.
 */
const mount = '/usr/lib/systemd/system/containerd.service.d';
const certificatesMount = `${mount}/certificates`;

/** What a container shares with this machine: as a node nothing, as one in the network of the machine its loopback addresses. */
type Reach = 'node' | 'machine';

/** Never by the proxy: the addresses that kind gives services and pods, and their names (kind's configuration, Networking). */
const inCluster = '10.96.0.0/16,10.244.0.0/16,.svc,.cluster.local';

/** The proxy of this machine that a node can't reach, as it listens on a loopback address, if there is one. */
export function unreachableProxy({ http, https }: Network): ProxyServer | undefined {
  return [https, http].find((proxy) => proxy?.fault === undefined && proxy && !isReached(proxy, 'node'));
}

function isReached({ name }: ProxyServer, from: Reach): boolean {
  return from === 'machine' || !isThisMachine(new URL(name).hostname);
}

/**
 * The variables by which a container's containerd pulls as this machine does, in both cases, as older programs of Go prefer the
 * capitals and younger ones do not. Empty where there is nothing to say.
 */
export function containerVariables(network: Network, from: Reach): Record<string, string> {
  const address = (proxy: ProxyServer | undefined) =>
    proxy === undefined || proxy.fault !== undefined || !isReached(proxy, from) ? '' : proxy.address.reveal();
  const proxies = { HTTP_PROXY: address(network.http), HTTPS_PROXY: address(network.https) };
  const found = Object.entries(proxies).filter(([, value]) => value !== '');
  if (found.length > 0) found.push(['NO_PROXY', [network.direct.trim(), inCluster].filter(Boolean).join()]);
  const named = found.flatMap(([name, value]) => [
    [name, value],
    [name.toLowerCase(), value],
  ]);
  // In addition to the certificates of the system, which are in a file (Go's crypto/x509, root_unix.go).
  if (certificatesOf(network) !== '') named.push(['SSL_CERT_DIR', certificatesMount]);
  return Object.fromEntries(named);
}

/** The certificates that this machine is told to trust beside the usual ones, as PEM without empty lines. */
function certificatesOf(network: Network): string {
  return certificateTexts(network)
    .join('\n')
    .replaceAll(/\n\s*(?=\n|$)/g, '')
    .trim();
}

/** What a shell in a container reads first: the certificates, up to an empty line. */
export const takeCertificates = `mkdir -p ${certificatesMount}; while IFS= read -r line && [ "$line" ]; do
  printf '%s\\n' "$line"; done > ${certificatesMount}/own.crt`;

/** What to tell that shell. */
export function certificatesInput(network: Network): string {
  return `${certificatesOf(network)}\n\n`;
}

/** Settings of containerd for systemd, or nothing. */
function unitOf(network: Network): string {
  const variables = Object.entries(containerVariables(network, 'node'));
  if (variables.length === 0) return '';
  const quoted = (text: string) => `"${text.replaceAll(/[\\"]/g, '\\$&').replaceAll('%', '%%')}"`;
  return `[Service]\nEnvironment=${variables.map(([name, value]) => quoted(`${name}=${value.replaceAll(/\s+/g, ' ')}`)).join(' ')}\n`;
}

function folderOf({ config }: Pick<ClusterContext, 'config'>): string {
  return join(config.stateDir, 'containerd');
}

/**
 * Writes how a new node's containerd reaches registries: a file that only its owner reads, and the certificates. The password of a
 * proxy is in no argument, and in nothing that `docker inspect` shows.
 * @returns the mount, as kind's configuration has it, or none where there is nothing to say.
 */
export async function networkMounts(context: Pick<ClusterContext, 'config'>) {
  const { network } = context.config;
  const unit = unitOf(network);
  if (unit === '') return [];
  const folder = folderOf(context);
  await mkdir(join(folder, 'certificates'), { recursive: true, mode: 0o700 });
  writeWhole(join(folder, 'proxy.conf'), unit, { ownerOnly: true });
  writeWhole(join(folder, 'certificates', 'own.crt'), `${certificatesOf(network)}\n`);
  return [{ hostPath: folder, containerPath: mount, readOnly: true }];
}

/** Whether a node that is there pulls in another way than this machine does now. */
export function networkDiffers(context: Pick<ClusterContext, 'config'>): boolean {
  const { network } = context.config;
  const kept = (...path: string[]) => (readFileOrPipe(join(folderOf(context), ...path)) ?? '').trim();
  return kept('proxy.conf') !== unitOf(network).trim() || kept('certificates', 'own.crt') !== certificatesOf(network);
}

/**
 * The variables that kind gets in place of this machine's: with the proxy it would hand the password to `docker run` as an argument,
 * and kubeadm would write it into every pod of the control plane. With NO_PROXY alone it adds the addresses of the cluster, which
 * helps where Docker's own configuration gives containers a proxy (kind's pkg/cluster/internal/providers/docker/provision.go).
 */
export function kindVariables({ http, https, direct }: Network): Record<string, string> {
  if (http === undefined && https === undefined) return {};
  const bypass = direct.trim() || 'localhost';
  return { HTTP_PROXY: '', http_proxy: '', HTTPS_PROXY: '', https_proxy: '', NO_PROXY: bypass, no_proxy: bypass };
}
