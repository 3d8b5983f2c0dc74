import { type Hostname, parseHostname } from '../../../mesh/model/hostname.ts';

export function hostnameOf(text: string): Hostname {
  const found = parseHostname(text);
  if (found === undefined) throw new RangeError(`${text} is no host name`);
  return found;
}
