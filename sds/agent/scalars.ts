import { isIP } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import type { HostPort } from './config.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const HOST = /^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*\.?$/;
const NETNS = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A DNS label: the name of a namespace (RFC 1123, as Kubernetes checks it). */
export function parseLabel(text: string): Parsed<string> {
  return LABEL.test(text) ? parsed(text) : refused('must be a DNS label: lower-case letters, digits and dashes, 63 at most');
}

/** A DNS subdomain: the name of a pod, a workload or a service account. */
export function parseSubdomain(text: string): Parsed<string> {
  const fits = text.length <= 253 && SUBDOMAIN.test(text);
  return fits ? parsed(text) : refused('must be a DNS name: lower-case letters, digits, dashes and dots');
}

export function parseHostname(text: string): Parsed<string> {
  return text.length <= 253 && HOST.test(text) ? parsed(text) : refused('must be a DNS name');
}

/** The name of a network namespace as `ip netns` takes it. */
export function parseNetns(text: string): Parsed<string> {
  return NETNS.test(text) ? parsed(text) : refused('must be the name of a network namespace (see: ip netns list)');
}

export function parseIp(text: string): Parsed<string> {
  return isIP(text) === 0 ? refused('must be an IP address') : parsed(text);
}

/** `127.0.0.1:15012`, `[::1]:15012` or `gatehouse.istio-system.svc:15012`. */
export function parseHostPort(text: string): Parsed<HostPort> {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const [host, port] = [match?.[1] ?? match?.[2] ?? '', Number(match?.[3])];
  const known = match?.[1] === undefined ? isIP(host) === 4 || HOST.test(host) : isIP(host) === 6;
  return known && port >= 1 && port <= 65_535 ? parsed({ host, port }) : refused('must be HOST:PORT, such as 127.0.0.1:15012');
}

/** Where a server listens: an IP address and a port, 0 for any free one. */
export function parseBindAddress(text: string): Parsed<HostPort> {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const [host, port] = [match?.[1] ?? match?.[2] ?? '', Number(match?.[3])];
  const known = isIP(host) === (match?.[1] === undefined ? 4 : 6);
  return known && port <= 65_535 ? parsed({ host, port }) : refused('must be IP:PORT, such as 127.0.0.1:15020');
}

/** `24h`, `90m`, `4s`, `1h30m`: milliseconds. */
export function parseDuration(text: string): Parsed<number> {
  if (!/^(\d{1,6}(ms|s|m|h|d))+$/.test(text)) return refused('must be a duration such as 24h, 90m or 30s');
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h|d)/g)];
  return parsed(parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0), 0));
}

/** `512Ki`, `32Mi`, `1Gi`: bytes, as Kubernetes writes them. */
export function parseSize(text: string): Parsed<number> {
  const [, count, unit] = /^(\d{1,6})([KMG])i$/.exec(text) ?? [];
  if (count === undefined || unit === undefined || Number(count) === 0) return refused('must be a size such as 32Mi');
  return parsed(Number(count) * 1024 ** ('KMG'.indexOf(unit) + 1));
}

/** A lifetime to ask for: whole seconds, from one second to ten years. */
export function parseTtl(text: string): Parsed<number> {
  const duration = parseDuration(text);
  if (!duration.ok) return duration;
  const seconds = duration.value / 1000;
  const fits = Number.isInteger(seconds) && seconds >= 1 && seconds <= 10 * 366 * 86_400;
  return fits ? parsed(seconds) : refused('must be whole seconds, from 1s to ten years');
}

/** A file's path, as the configuration file's folder sees it. */
export function pathIn(folder: string): (text: string) => Parsed<string> {
  return (text) => {
    if (text === '' || text.includes('\0')) return refused('must be a path');
    return parsed(isAbsolute(text) ? text : resolve(folder, text));
  };
}

export function oneOf<T extends string>(words: readonly T[]): (text: string) => Parsed<T> {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    return word === undefined ? refused(`must be ${words.join(' or ')}`) : parsed(word);
  };
}
