import type { Component } from '../cluster/component.ts';
import { type MonitoringPart, monitoringParts } from '../config/settings.ts';
import type { Context } from '../images/context.ts';
import type { KubeObject } from '../kubernetes/objects.ts';
import { memoizePerContext, readKustomizedObjects, restartOnConfigChange } from '../repository/manifests.ts';
import { install } from './installation.ts';
import { removeOwn } from './removal.ts';

/** Each part's folder below observability/ bears its name, and its rules lie in a ConfigMap of their own. */
const isRules = ({ kind, metadata }: KubeObject) =>
  kind === 'ConfigMap' && metadata.name.startsWith('prometheus-rules-');

const objectsOf = new Map(
  monitoringParts.map((part) => [
    part,
    memoizePerContext(async ({ config }) => {
      const all = await readKustomizedObjects(config.root, `observability/${part}`);
      // Prometheus reads the rules, so a change of them is no reason to restart the part.
      return [...all.filter(isRules), ...restartOnConfigChange(all.filter((object) => !isRules(object)))];
    }),
  ]),
);

function read(context: Context, names: readonly MonitoringPart[]): Promise<KubeObject[]> {
  return Promise.all(names.map((name) => objectsOf.get(name)?.(context) ?? [])).then((lists) => lists.flat());
}

/** A part of the monitoring that is installed only if a setting asks for it: a folder of manifests, with the rules that need it. */
export function part(name: MonitoringPart): Component {
  return install({ name, needs: ['prometheus'], objects: (context) => read(context, [name]) });
}

/** The rules of the parts that are wanted. Prometheus has to have read them before it counts as ready. */
export async function rulesOfParts(context: Context): Promise<KubeObject[]> {
  return (await read(context, context.config.parts)).filter(isRules);
}

/** Removes the parts that an earlier run was asked for and this one isn't. Hands back what it removed. */
export async function removeUnwantedParts(context: Context): Promise<string[]> {
  const unwanted = monitoringParts.filter((name) => !context.config.parts.includes(name));
  return removeOwn(context, await read(context, unwanted));
}
