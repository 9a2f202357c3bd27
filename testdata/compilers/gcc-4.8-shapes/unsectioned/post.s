# Written by hand: an object without -ffunction-sections, as gcc 4.8 to 7 make it. Of f its string differs; h is behind it
# and only moves; cold_one is a function that is cold as a whole.
	.text
	.p2align 4,,15
	.type helper.part.12.constprop.25, @function
helper.part.12.constprop.25:
	call __fentry__
	mov state.31337(%rip), %eax
	ret
	.size helper.part.12.constprop.25, .-helper.part.12.constprop.25
	.p2align 4,,15
	.type fresh, @function
fresh:	call __fentry__
	xor %eax, %eax
	ret
	.size fresh, .-fresh
	.p2align 4,,15
	.globl f
	.type f, @function
f:	call __fentry__
	call helper.part.12.constprop.25
	mov $.LC1, %rdi
	call printk
	test %eax, %eax
	js 1f
	ret
1:	jmp cold_one
	.size f, .-f
	.p2align 4,,15
	.globl h
	.type h, @function
h:	call __fentry__
	call helper.part.12.constprop.25
	mov shared(%rip), %eax
	jmp *.L4(,%rax,8)
2:	ret
3:	xor %eax, %eax
	ret
	.size h, .-h

	.section .text.unlikely,"ax",@progbits
	.type cold_one, @function
cold_one:
	call __fentry__
	mov $.LC0, %rdi
	call printk
	ret
	.size cold_one, .-cold_one

	.section .rodata,"a",@progbits
	.align 8
.L4:	.quad 2b, 3b

	.data
	.align 4
	.type state.31337, @object
	.size state.31337, 4
state.31337:
	.long 7

	.comm shared,4,4

	.section .rodata.str1.1,"aMS",@progbits,1
.LC0:	.string "cold\n"
.LC1:	.string "after\n"
