#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# Request Tracker through its own API: creates N overdue tickets with its stock scrips, one line of figures as those of
# peer.c. What would be mailed goes nowhere.
#
#       RT_SITE_CONFIG=FILE peer-rt.pl N

use strict;
use warnings;
use lib '/usr/share/request-tracker5/lib';
use Time::HiRes qw(time);
use RT;

my $n = shift or die "usage: peer-rt.pl N\n";
my $requestors = 50;    # existing ones: a new one would be a new user each
my $seconds_late = 3600;

RT::LoadConfig();
RT::Init();
require RT::Interface::Email;
{
    no warnings qw(redefine once);
    *RT::Interface::Email::SendEmail = sub { return 1 };
}

sub create {
    my $i      = shift;
    my $due    = RT::Date->new( RT->SystemUser );
    my $ticket = RT::Ticket->new( RT->SystemUser );
    $due->Set( Format => 'unix', Value => int(time) - $seconds_late );
    my ( $id, undef, $message ) = $ticket->Create(
        Queue           => 'General',
        Subject         => "000-$i",
        Requestor       => sprintf( 'customer%d@example.invalid', $i % $requestors ),
        InitialPriority => 0,
        FinalPriority   => 100,
        Due             => $due->ISO,
        MIMEObj         => MIME::Entity->build( Type => 'text/plain', Charset => 'UTF-8', Data => ['a' x 220] ),
    );
    die "peer-rt: $message\n" unless $id;
}

# The users are made by the first tickets, and what a process pays once; they count among the N.
my $warm_up = $requestors < $n ? $requestors : $n - 1;
create($_) for 1 .. $warm_up;
$n -= $warm_up;
my $began = time;
my @latencies;
for my $i ( 1 .. $n ) {
    my $start = time;
    create($i);
    push @latencies, 1000 * ( time - $start );
}
my $seconds = time - $began;
@latencies = sort { $a <=> $b } @latencies;
printf "calls %d seconds %.3f rate %.1f p50_ms %.3f p99_ms %.3f\n", $n, $seconds, $n / $seconds,
    $latencies[ ( $n - 1 ) * 0.5 ], $latencies[ ( $n - 1 ) * 0.99 ];
