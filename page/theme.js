/** Light and dark: by the system, or by hand; the choice is kept in this browser. */

/** `onChange` is called when colours may have changed. */
export function followTheme(onChange) {
  const select = document.getElementById('theme');
  const apply = (theme) => {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    onChange();
  };
  let kept = null;
  try {
    kept = localStorage.getItem('theme');
  } catch {
    // A browser that keeps nothing follows the system.
  }
  select.value = ['light', 'dark'].includes(kept) ? kept : 'auto';
  apply(select.value);
  select.addEventListener('change', () => {
    apply(select.value);
    try {
      localStorage.setItem('theme', select.value);
    } catch {
      // As above.
    }
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => onChange());
}
