import type { Component } from '../cluster/component.ts';
import { controllerObjects, ingressRole, removeOther } from './ingress-controllers.ts';
import { install } from './installation.ts';

/** The ingress controller that takes the place of ingress-nginx, for the same Ingresses: INGRESS_CONTROLLER=traefik. */
export const traefik: Component = {
  ...install({
    name: 'traefik',
    needs: ['cluster'],
    objects: controllerObjects('traefik'),
    prepare: (context) => removeOther(context, 'traefik'),
  }),
  role: ingressRole,
};
