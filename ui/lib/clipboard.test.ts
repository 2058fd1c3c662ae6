import { afterEach, beforeEach, expect, test } from 'vitest'
import { copy } from './clipboard'

const copied: { text: string; isInDialog: boolean }[] = []

/** What a browser without the clipboard API has: it copies what is selected. */
function execCommand(): boolean {
  const area = document.querySelector('textarea')
  copied.push({ text: area?.value ?? '', isInDialog: Boolean(area?.closest('[role="dialog"]')) })
  return true
}

beforeEach(() => {
  Object.assign(document, { execCommand })
})
afterEach(() => {
  copied.length = 0
  document.body.replaceChildren()
  Reflect.deleteProperty(document, 'execCommand')
})

test('without a clipboard, what is copied is selected within the dialog that keeps the focus', async () => {
  document.body.innerHTML = '<div role="dialog"><button>Copy</button></div>'
  document.querySelector('button')?.focus()

  await copy('a token', 'token')

  expect(copied).toEqual([{ text: 'a token', isInDialog: true }])
  expect(document.querySelector('textarea')).toBeNull()
})

test('elsewhere it is selected on the page', async () => {
  await copy('a command', 'command')

  expect(copied).toEqual([{ text: 'a command', isInDialog: false }])
})
