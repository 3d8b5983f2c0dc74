import { h } from './dom.ts';
import { told } from './format.ts';

const SAID_MS = 4_000;

/** The page itself gives no orders: what would is shown as text, to be run where that is allowed. */
export function command(text: string, name: string): HTMLElement {
  const shown = text.split('\n').map(told).join('\n');
  const code = h('code', {}, shown);
  const said = h('span', { class: 'said', role: 'status' });
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(shown);
      said.textContent = 'Copied';
    } catch {
      // Without TLS, or forbidden: it is marked, so that keys can copy it.
      getSelection()?.selectAllChildren(code);
      said.textContent = 'Marked: copy it with Ctrl+C';
    }
    setTimeout(() => (said.textContent = ''), SAID_MS);
  };
  return h(
    'div',
    { class: 'command' },
    h('pre', { tabindex: '0', role: 'group', 'aria-label': name }, code),
    h(
      'div',
      { class: 'copy' },
      h(
        'button',
        { type: 'button', 'data-key': `copy ${name}`, 'aria-label': `Copy: ${name}`, onclick: () => void copy() },
        'Copy',
      ),
      said,
    ),
  );
}
