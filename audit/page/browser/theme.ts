import { h } from './dom.ts';
import { keep, read } from './remembered.ts';

const KEY = 'gatehouse.theme.1';
const THEMES = ['system', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

function apply(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}

/** Light or dark: as the system has it, unless somebody says otherwise here. */
export function themeSwitch(): HTMLElement {
  const current = THEMES.find((one) => one === read(KEY)) ?? 'system';
  apply(current);
  const select = h(
    'select',
    {
      'aria-label': 'Colours',
      onchange: () => {
        const theme = THEMES.find((one) => one === select.value) ?? 'system';
        keep(KEY, theme === 'system' ? undefined : theme);
        apply(theme);
      },
    },
    THEMES.map((theme) =>
      h(
        'option',
        { value: theme, selected: theme === current },
        theme === 'system' ? 'System colours' : theme === 'light' ? 'Light' : 'Dark',
      ),
    ),
  );
  return select;
}
