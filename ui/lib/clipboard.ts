import { toast } from './toasts'

/** Copies the text and says so: `what` is "kubectl command" or the like. */
export async function copy(text: string, what: string): Promise<void> {
  const isCopied = await write(text)
  toast(isCopied ? `Copied the ${what}` : `The browser did not let us copy the ${what}`)
}

async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return writeBySelection(text)
  }
}

/** For pages served over plain HTTP from another host, where there is no clipboard API. */
function writeBySelection(text: string): boolean {
  const area = document.createElement('textarea')
  area.value = text
  area.style.position = 'fixed'
  area.style.opacity = '0'
  // A dialog keeps the focus to itself: outside of it nothing would be selected.
  const dialog = document.activeElement?.closest('[role="dialog"], [role="alertdialog"]')
  ;(dialog ?? document.body).append(area)
  area.select()
  const isCopied = document.execCommand('copy')
  area.remove()
  return isCopied
}
