import type { Component } from '../cluster/component.ts';
import { type MonitoringPart, monitoringParts } from '../config/settings.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { memoizePerContext, readManifestFolder, restartOnConfigChange } from '../repository/manifests.ts';
import { install } from './installation.ts';
import { removeOwn } from './removal.ts';

/** Each part's folder below observability/ bears its name, and its rules lie in a ConfigMap of their own. */
const isRules = ({ kind, metadata }: KubeObject) =>
  kind === 'ConfigMap' && metadata.name.startsWith('prometheus-rules-');

const addOnObjects = new Map(
  monitoringParts.map((part) => [
    part,
    memoizePerContext(async ({ config }) => {
      // The Namespace is Prometheus', which every part needs, and stays where a part is removed.
      const folder = await readManifestFolder(config.root, `observability/${part}`);
      const all = folder.filter(({ kind }) => kind !== 'Namespace');
      // Prometheus reads the rules, so a change of them is no reason to restart the part.
      return [...all.filter(isRules), ...restartOnConfigChange(all.filter((object) => !isRules(object)))];
    }),
  ]),
);

function readAddOns(context: Context, names: readonly MonitoringPart[]): Promise<KubeObject[]> {
  return Promise.all(names.map((name) => addOnObjects.get(name)?.(context) ?? [])).then((lists) => lists.flat());
}

/** A part of the monitoring that is installed only if a setting asks for it: a folder of manifests, with the rules that need it. */
function addOn(name: MonitoringPart): Component {
  return install({ name, needs: ['prometheus'], objects: (context) => readAddOns(context, [name]) });
}

/** The rules of the parts that are wanted. Prometheus has to have read them before it counts as ready. */
export async function addOnRules(context: Context): Promise<KubeObject[]> {
  return (await readAddOns(context, context.config.parts)).filter(isRules);
}

/** Removes the parts that an earlier run was asked for and this one isn't. @returns what it removed. */
export async function removeUnwantedAddOns(context: Context): Promise<string[]> {
  const unwanted = monitoringParts.filter((name) => !context.config.parts.includes(name));
  return removeOwn(context, await readAddOns(context, unwanted));
}

/** Groups alerts, silences them, and tells people of them: ALERTMANAGER=true. */
export const alertmanager = addOn('alertmanager');

/** What the objects of Kubernetes say of themselves, as metrics: KUBE_STATE_METRICS=true. */
export const kubeStateMetrics = addOn('kube-state-metrics');

/** What the kernel of each node says of it, as metrics: NODE_EXPORTER=true. */
export const nodeExporter = addOn('node-exporter');
