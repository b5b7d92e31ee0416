import type { Config } from '../config/config.ts';
import type { Context } from '../images/context.ts';
import { UserError } from '../lib/errors.ts';
import type { HelmParameter } from '../repository/applications.ts';
import { ingressesAtHead } from '../repository/committed-values.ts';

type Ports = Config['ports'];

const defaults = { http: 8080, https: 8443 };
/** An address of this machine with one of the ports that the settings have by default, as the files of this repository write it. */
const localPort = /(?<=\.localhost:)(?:8080|8443)\b/g;
/** For which Applications a link is shown, as Argo CD's condition has it. */
const namesWithDashboard = /(?<=\bapp\.metadata\.name in )\[[^\]]*\]/g;

/**
 * The addresses and links in Argo CD's settings, as they are on this machine.
 * @param dashboards the names of all dashboards: a link to another one would lead nowhere
 * @returns the data of the ConfigMap `argocd-cm`.
 */
export function withLinks(
  data: Readonly<Record<string, string>>,
  ports: Ports,
  dashboards: readonly string[],
): Record<string, string> {
  const edited = Object.entries(data).map(([key, text]) => [
    key,
    withPorts(text, ports).replace(namesWithDashboard, () => JSON.stringify(dashboards)),
  ]);
  return Object.fromEntries(edited);
}

function withPorts(text: string, { http, https }: Ports): string {
  return text.replace(localPort, (port) => `${Number(port) === defaults.http ? http : https}`);
}

/** Annotations of an object from which Argo CD makes a link (common/common.go, AnnotationKeyLinkPrefix). */
const linkPrefix = 'link.argocd.argoproj.io/';

/**
 * What the charts need besides their values, so that the links of their Ingresses have the ports of the settings: nothing
 * with the ports that the values state.
 * @returns the parameters by the name of the Application; none where the values at the commit can't be read, which is told by
 * what needs more of them.
 */
export async function linkParameters(context: Context): Promise<Map<string, HelmParameter[]>> {
  const { http, https } = context.config.ports;
  if (http === defaults.http && https === defaults.https) return new Map();
  const ingresses = await ingressesAtHead(context).catch((error) => {
    if (error instanceof UserError) return [];
    throw error;
  });
  const entries = ingresses.map(({ service, annotations }) => {
    const parameters = Object.entries(annotations).flatMap(([key, text]): HelmParameter[] => {
      if (!key.startsWith(linkPrefix) || typeof text !== 'string') return [];
      const value = withPorts(text, context.config.ports);
      return value === text ? [] : [{ name: `ingress.annotations.${key.replaceAll('.', '\\.')}`, value }];
    });
    return [service, parameters] as const;
  });
  return new Map(entries);
}
