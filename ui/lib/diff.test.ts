import { expect, test } from 'vitest'
import { changedLines, diffRows, text } from './diff'

const DIFF = `--- before
+++ after
@@ -31,4 +31,5 @@
           limits:
-            memory: 32Mi
+            memory: 64Mi
+            cpu: 250m
       restartPolicy: Always`

test('the rows of a diff carry the line numbers of both sides', () => {
  const rows = diffRows(DIFF)

  expect(rows.map((row) => [row.kind, row.before, row.after])).toEqual([
    ['hunk', null, null],
    ['context', 31, 31],
    ['removed', 32, null],
    ['added', null, 32],
    ['added', null, 33],
    ['context', 33, 34],
  ])
})

test('only the word that differs is marked', () => {
  const [, , removed, added, alone] = diffRows(DIFF)

  const marked = (row: typeof removed) => row?.parts.filter((part) => part.isChanged).map((part) => part.text)
  expect(marked(removed)).toEqual(['32Mi'])
  expect(marked(added)).toEqual(['64Mi'])
  expect(marked(alone)).toEqual([])
})

test('marking words loses no text', () => {
  expect(diffRows(DIFF).map(text)).toContain('            memory: 64Mi')
})

test('a replaced line is told as before and after', () => {
  expect(changedLines(diffRows(DIFF))).toEqual(['limits.memory: 32Mi → 64Mi'])
})

test('file names before the first hunk are no changes', () => {
  expect(diffRows('--- a\n+++ b\n')).toEqual([])
})

test('lines of markup stay text', () => {
  const rows = diffRows('@@ -1 +1 @@\n-<b>a</b>\n+<script>x</script>')

  expect(rows.map(text)).toEqual(['@@ -1 +1 @@', '<b>a</b>', '<script>x</script>'])
})
