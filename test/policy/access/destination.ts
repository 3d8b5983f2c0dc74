import { PORTS } from '../differential/arbitrary.ts';
import { port } from '../model.ts';

/** The workload of generated worlds. */
export const DESTINATION = Object.freeze({
  name: 'shop/web',
  namespace: 'shop',
  labels: { app: 'web' },
  ports: [
    { port: port(PORTS.http), protocol: 'HTTP' as const },
    { port: port(PORTS.tcp), protocol: 'TCP' as const },
  ],
  hosts: ['app.example'],
});
