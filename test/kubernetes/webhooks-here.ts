import { readFileSync } from 'node:fs';

const SERVICE = /"service":\{[^}]*"path":"([^"]*)"[^}]*\}/g;

/**
 * A configuration of webhooks as it is installed, but the API server calls this machine in place of the Service, which it does not reach.
 * @param rootCert of whom it is to trust; without it the control plane fills that in
 */
export function webhooksHere(configuration: object, port: number, rootCert?: string): object {
  const caBundle = rootCert === undefined ? '' : `"caBundle":"${readFileSync(rootCert).toString('base64')}",`;
  const text = JSON.stringify(configuration).replaceAll(SERVICE, `${caBundle}"url":"https://localhost:${port}$1"`);
  return JSON.parse(text) as object;
}
