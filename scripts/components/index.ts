import { cluster } from '../cluster/cluster.ts';
import type { Component } from '../cluster/component.ts';
import type { Config } from '../config/config.ts';
import { monitoringParts } from '../config/settings.ts';
import { applications } from './applications.ts';
import { argoCd } from './argo-cd.ts';
import { certificates } from './certificates.ts';
import { gitSource } from './git-source.ts';
import { grafana } from './grafana.ts';
import { ingressNginx, traefik } from './ingress.ts';
import { metricsServer } from './metrics-server.ts';
import { prometheus } from './prometheus.ts';
import { alertmanager, kubeStateMetrics, nodeExporter } from './prometheus-add-ons.ts';
import { repositoryAccess } from './repository-access.ts';
import { routes } from './routes.ts';
import { serviceImages } from './service-images.ts';
import { services } from './services.ts';

/**
 * Everything there is to install. Each stands behind what it needs; among those that could start at the same time,
 * the one that the most waits for comes first, because images are fetched and imported in this order.
 */
const all: readonly Component[] = [
  cluster,
  argoCd,
  ingressNginx,
  traefik,
  gitSource,
  serviceImages,
  repositoryAccess,
  prometheus,
  applications,
  metricsServer,
  grafana,
  kubeStateMetrics,
  nodeExporter,
  alertmanager,
  certificates,
  routes,
  services,
];

/** The components that these settings ask for, each behind what it needs. */
export function componentsFor(config: Config): Component[] {
  const left = new Set<Component>([config.ingressController === 'traefik' ? ingressNginx : traefik]);
  left.add(config.gitops === undefined ? repositoryAccess : gitSource);
  const unwanted = new Set<string>(monitoringParts.filter((part) => !config.parts.includes(part)));
  const chosen = all.filter((component) => !left.has(component) && !unwanted.has(component.name));
  const named = (need: string) => chosen.find(({ name, role }) => name === need || role === need)?.name;
  return chosen.map((component) => ({
    ...component,
    needs: component.needs.map(named).filter((name) => name !== undefined),
  }));
}

/** Every component, whatever the settings ask for: an earlier `up` may have had others. Each stands behind what it needs. */
export function allComponents(): Component[] {
  const named = (need: string) =>
    all.filter(({ name, role }) => name === need || role === need).map(({ name }) => name);
  return all.map((component) => ({ ...component, needs: component.needs.flatMap(named) }));
}
