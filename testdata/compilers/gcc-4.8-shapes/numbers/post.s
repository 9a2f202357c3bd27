# Written by hand: static locals and clones as gcc 4.8 numbers them. Only g changes.
	.section .text.helper.isra.7,"ax",@progbits
	.type helper.isra.7, @function
helper.isra.7:
	call __fentry__
	incl count.21389(%rip)
	mov %edi, %eax
	ret
	.size helper.isra.7, .-helper.isra.7

	.section .text.f,"ax",@progbits
	.globl f
	.type f, @function
f:	call __fentry__
	call helper.isra.7
	mov $.LC0, %rdi
	call printk
	ret
	.size f, .-f

	.section .text.g,"ax",@progbits
	.globl g
	.type g, @function
g:	call __fentry__
	mov count.21397(%rip), %eax
	add $2, %eax
	ret
	.size g, .-g

	.section .bss.count.21389,"aw",@nobits
	.type count.21389, @object
	.align 4
count.21389:
	.zero 4
	.size count.21389, 4
	.section .bss.count.21397,"aw",@nobits
	.type count.21397, @object
	.align 4
count.21397:
	.zero 4
	.size count.21397, 4

	.section .rodata.str1.1,"aMS",@progbits,1
.LC0:	.string "f\n"
