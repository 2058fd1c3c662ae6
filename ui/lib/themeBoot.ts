/**
 * Runs before the first paint, so that nobody sees the wrong theme flash. It is the one inline script
 * of ours; the server's policy allows it by its hash.
 */
export const THEME_BOOT = `(function(){var t=null;try{t=localStorage.getItem('copilot.theme')}catch(e){}
if(t!=='dark'&&t!=='light')t=matchMedia('(prefers-color-scheme: light)').matches?'light':'dark';
document.documentElement.dataset.theme=t})()`
